"""Stands in for SGLang's kernel wheel, which exists for CUDA and AMX only. SGLang's CPU path falls back to plain torch wherever
a kernel is absent from torch.ops.sgl_kernel; here is just what it imports or reads without asking first."""

import ctypes

import torch

__version__ = "0.4.10"  # the version sglang 0.5.23 checks for


def assign_req_to_token_pool_cpu(pool_rows, table, starts, ends, locations, _row_length):
    """Writes each request's new KV locations into its row of the table: row, [start, end) <- the next locations in order."""
    taken = 0
    for row, start, end in zip(pool_rows.tolist(), starts.tolist(), ends.tolist()):
        count = end - start
        table[row, start:end] = locations[taken : taken + count].to(table.dtype)
        taken += count


def copy_all_layer_kv_cache_cpu(buffers, row_bytes, targets, sources):
    """Moves token rows inside each layer's buffer. All rows are read before any is written: the ranges may overlap."""
    for base, size in zip(buffers.tolist(), row_bytes.tolist()):
        rows = [ctypes.string_at(base + source * size, size) for source in sources.tolist()]
        for target, row in zip(targets.tolist(), rows):
            ctypes.memmove(base + target * size, row, size)


def _unwritten(name):
    def kernel(*_args, **_kwargs):
        raise NotImplementedError(f"{name} has no CPU stand-in")

    kernel.__name__ = name
    return kernel


def __getattr__(name):
    # Imported by name for features that the tests do not use (speculative decoding): importing works, calling tells.
    if name.endswith("_cpu"):
        return _unwritten(name)
    raise AttributeError(name)


def _sigmoid_gate(x, gate):
    x.mul_(gate.float().sigmoid().to(x.dtype).reshape(x.shape))


def _rmsnorm(x, weight, eps):
    wide = x.float()
    scale = torch.rsqrt(wide.square().mean(dim=-1, keepdim=True) + eps)
    return (wide * scale).to(x.dtype) * weight


# Read from the op namespace when model files are imported. convert_weight_packed must stay absent: SGLang takes its presence for AMX.
_ops = torch.ops.sgl_kernel
_ops.fused_sigmoid_mul_cpu = _sigmoid_gate
_ops.rmsnorm_cpu = _rmsnorm
for _name in (
    "fused_dual_residual_rmsnorm_cpu",
    "fused_moe_router_cpu",
    "fused_qk_gemma_rmsnorm_cpu",
    "fused_qk_gemma_rmsnorm_with_gate_cpu",
    "fused_qkvzba_split_reshape_cat_contiguous_cpu",
):
    setattr(_ops, _name, _unwritten(_name))
