"""Builds an ONNX graph node by node; weights go into the model file or, when they are large, into one beside it."""

import hashlib
import os

import numpy as np
import onnx
from onnx import TensorProto, helper

OPSET = 20
CONTRIB = "com.microsoft"
STORAGE = {"float32": TensorProto.FLOAT, "float16": TensorProto.FLOAT16, "bfloat16": TensorProto.BFLOAT16}


def narrowed(values, storage):
    """Bytes of float32 `values` in another type, rounded to nearest even."""
    values = np.ascontiguousarray(values, dtype="<f4")
    if storage == "float16":
        half = values.astype("<f2")
        if np.isinf(half).any() and not np.isinf(values).any():
            raise OverflowError("weights do not fit float16; take bfloat16 or float32")
        return half.tobytes()
    if storage == "bfloat16":
        bits = values.view(np.uint32)
        if not (bits & 0xFFFF).any():  # It came from bfloat16, as most checkpoints do.
            return (bits >> 16).astype("<u2").tobytes()
        bits = bits.astype(np.uint64)
        return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype("<u2").tobytes()
    return values.tobytes()


class Graph:
    """`beside`: an open file for the weights' bytes, or None to keep them in the model."""

    def __init__(self, storage, beside=None, beside_name=""):
        self.storage = storage
        self._beside = beside
        self._beside_name = beside_name
        self._nodes, self._inputs, self._weights = [], [], []
        self._count = 0
        self._constants = {}
        self.digest = hashlib.sha256()

    def input(self, name, kind, shape):
        self._inputs.append(helper.make_tensor_value_info(name, kind, shape))
        return name

    def op(self, kind, *inputs, outputs=1, domain="", **attributes):
        """The name of the output, or a list of names where there are several."""
        self._count += 1
        names = [f"{kind}_{self._count}_{i}" for i in range(outputs)]
        self._nodes.append(helper.make_node(kind, list(inputs), names, name=f"{kind}_{self._count}", domain=domain, **attributes))
        return names[0] if outputs == 1 else names

    def choose(self, condition, yes, no):
        """A float32 tensor that one of two branches computes; `yes` and `no` add nodes and return the name of the last."""
        return self.op("If", condition, then_branch=self._branch(yes), else_branch=self._branch(no))

    def _branch(self, build):
        outer, self._nodes = self._nodes, []
        result = helper.make_tensor_value_info(build(), TensorProto.FLOAT, None)
        inner, self._nodes = self._nodes, outer
        return helper.make_graph(inner, f"branch_{self._count}", [], [result])

    def constant(self, values, kind):
        """A small int64 or float32 constant; the same values are the same tensor."""
        array = np.asarray(values, dtype=kind)
        key = (str(array.dtype), array.shape, array.tobytes())
        if key not in self._constants:
            name = f"constant_{len(self._constants)}"
            self._weights.append(onnx.numpy_helper.from_array(array, name))
            self._constants[key] = name
        return self._constants[key]

    def ints(self, *values):
        return self.constant(values, np.int64)

    def number(self, value):
        return self.constant(value, np.float32)

    def weight(self, name, values):
        """A weight in the file's storage type, as float32 for the nodes that use it."""
        data = narrowed(values, self.storage)
        self.digest.update(f"{name} {values.shape} {self.storage}\n".encode())
        self.digest.update(data)
        tensor = TensorProto(name=name, data_type=STORAGE[self.storage], dims=list(values.shape))
        if self._beside is None or len(data) < 1024:
            tensor.raw_data = data
        else:
            # ONNX Runtime maps the file into memory: each tensor begins on a page.
            self._beside.write(b"\0" * (-self._beside.tell() % 4096))
            tensor.data_location = TensorProto.EXTERNAL
            for key, value in (("location", self._beside_name), ("offset", self._beside.tell()), ("length", len(data))):
                tensor.external_data.add(key=key, value=str(value))
            self._beside.write(data)
        self._weights.append(tensor)
        return name if self.storage == "float32" else self.op("Cast", name, to=TensorProto.FLOAT)

    def model(self, name, output, shape, metadata):
        self._nodes.append(helper.make_node("Identity", [output], ["embeddings"], name="embeddings"))
        graph = helper.make_graph(
            self._nodes,
            name,
            self._inputs,
            [helper.make_tensor_value_info("embeddings", TensorProto.FLOAT, shape)],
            self._weights,
        )
        opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(CONTRIB, 1)]
        model = helper.make_model(graph, opset_imports=opsets, producer_name="dynamo-sglang", ir_version=10)
        for key, value in metadata.items():
            model.metadata_props.add(key=key, value=value)
        return model


def save(model, path):
    """Whole or not at all."""
    half = f"{path}.{os.getpid()}"
    try:
        with open(half, "wb") as file:
            file.write(model.SerializeToString())
        os.replace(half, path)
    finally:
        if os.path.exists(half):
            os.remove(half)
