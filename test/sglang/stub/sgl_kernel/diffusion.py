"""The two operations of SGLang's CPU kernels that its diffusion models call without asking for them first, in plain torch."""

import torch


def _normalized(x, weight, bias, kind, eps):
    wide = x.float()
    if kind == "layer":
        weight, bias = (None if part is None else part.float() for part in (weight, bias))
        return torch.nn.functional.layer_norm(wide, wide.shape[-1:], weight, bias, eps)
    wide = wide * torch.rsqrt(wide.square().mean(dim=-1, keepdim=True) + eps)
    return wide if weight is None else wide * weight.float()


def _norm_scale_shift(x, weight, bias, scale, shift, kind, eps):
    return (_normalized(x, weight, bias, kind, eps) * (1 + scale.float()) + shift.float()).to(x.dtype)


def _scale_residual_norm_scale_shift(residual, x, gate, weight, bias, scale, shift, kind, eps):
    """Both the modulated norm and the residual that it was taken of."""
    added = x.float() if gate is None else x.float() * gate.float()
    total = (residual.float() + added).to(x.dtype)
    return _norm_scale_shift(total, weight, bias, scale, shift, kind, eps), total


torch.ops.sgl_kernel.fused_norm_scale_shift_cpu = _norm_scale_shift
torch.ops.sgl_kernel.fused_scale_residual_norm_scale_shift_cpu = _scale_residual_norm_scale_shift
