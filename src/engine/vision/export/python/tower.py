"""The graph of one vision tower (Qwen2-VL, Qwen2.5-VL, Qwen3-VL). Nothing in it depends on a picture's content or size: which patch stands where comes in
as inputs that the host makes (engine/vision/onnx/host-inputs.ts).

One run takes frames of the same size in groups that are attended to by themselves, so that full attention is a plain batch without a mask. ONNX Runtime's own
attention (`fused`) then works block by block, and memory grows with the number of patches and not with its square; where a device has it wrong, the host asks
for the plain steps."""

from families import FAMILIES
from graph import CONTRIB
from onnx import TensorProto

EPS = 1e-6


class Tower:
    def __init__(self, graph, checkpoint, shape):
        self.g, self.checkpoint, self.shape = graph, checkpoint, shape
        self.parts = FAMILIES[shape["family"]]
        self.hidden, self.heads = shape["hidden"], shape["heads"]
        self.head_dim = self.hidden // self.heads
        self.unit = shape["merge"] ** 2
        self.in_window = (shape["window"] // shape["patch"]) ** 2

    def build(self):
        """Name and shape of the output: [rows, out * (1 + deepstack levels)]."""
        g, shape = self.g, self.shape
        values = shape["channels"] * shape["temporal"] * shape["patch"] ** 2
        pixels = g.input("pixel_values", TensorProto.FLOAT, ["patches", values])
        half = self.head_dim // 2
        # [patches, 1, half]: the same for all heads.
        self.cos, self.sin = (
            g.op("Unsqueeze", g.input(name, TensorProto.FLOAT, ["patches", half]), g.ints(1)) for name in ("cos", "sin")
        )
        # [groups, patches of a group, hidden].
        self.group_shape = g.input("group_shape", TensorProto.INT64, [3])
        self.fused = g.input("fused", TensorProto.BOOL, [1])
        x = self.linear("patch_embed.proj", pixels, flat=True)
        if shape["side"]:
            x = g.op("Add", x, self.positions())
        if shape["window"]:
            x = self.in_window_order(x)
        levels = []
        for i in range(shape["depth"]):
            x = self.block(f"blocks.{i}", x, windowed=bool(shape["window"]) and i not in shape["fullBlocks"])
            if i in shape["deepstack"]:
                level = shape["deepstack"].index(i)
                levels.append(self.merger(f"deepstack_merger_list.{level}", x, norm_after=True))
        rows = self.merger("merger", x, norm_after=False)
        if shape["window"]:
            rows = g.op("Gather", rows, self.window_inverse, axis=0)
        if levels:
            rows = g.op("Concat", rows, *levels, axis=1)
        return rows, ["rows", shape["out"] * (1 + len(levels))]

    def linear(self, name, x, flat=False):
        """x · Wᵀ + b; `flat` reads a convolution whose kernel is its stride as the same thing."""
        g = self.g
        weight = self.checkpoint.read(f"{name}.weight")
        if flat:
            weight = weight.reshape(weight.shape[0], -1)
        inputs = [x, g.weight(f"{name}.weight", weight)]
        if self.checkpoint.has(f"{name}.bias"):
            inputs.append(g.weight(f"{name}.bias", self.checkpoint.read(f"{name}.bias")))
        return g.op("Gemm", *inputs, transB=1)

    def norm(self, name, x, kind):
        g = self.g
        scale = g.weight(f"{name}.weight", self.checkpoint.read(f"{name}.weight"))
        if kind == "layer":
            bias = g.weight(f"{name}.bias", self.checkpoint.read(f"{name}.bias"))
            return g.op("LayerNormalization", x, scale, bias, axis=-1, epsilon=EPS)
        mean = g.op("ReduceMean", g.op("Mul", x, x), g.ints(-1), keepdims=1)
        root = g.op("Sqrt", g.op("Add", mean, g.number(EPS)))
        return g.op("Mul", g.op("Div", x, root), scale)

    def activate(self, kind, x):
        g = self.g
        if kind in ("gelu", "gelu_pytorch_tanh"):
            return g.op("Gelu", x, approximate="tanh" if kind == "gelu_pytorch_tanh" else "none")
        slope = {"silu": None, "quick_gelu": 1.702}[kind]
        return g.op("Mul", x, g.op("Sigmoid", x if slope is None else g.op("Mul", x, g.number(slope))))

    def positions(self):
        """Learned places, stretched over the picture: four taps and their weights for each patch."""
        g = self.g
        table = g.weight("pos_embed.weight", self.checkpoint.read("pos_embed.weight"))
        taps = g.op("Gather", table, g.input("position_taps", TensorProto.INT64, ["patches", 4]), axis=0)
        weights = g.op("Unsqueeze", g.input("position_weights", TensorProto.FLOAT, ["patches", 4]), g.ints(2))
        return g.op("ReduceSum", g.op("Mul", taps, weights), g.ints(1), keepdims=0)

    def in_window_order(self, x):
        """Patches of a window next to each other; the four of a row of the output stay together."""
        g = self.g
        order = g.input("window_order", TensorProto.INT64, ["rows"])
        self.window_inverse = g.input("window_inverse", TensorProto.INT64, ["rows"])
        # [windows * places]: which patch (in window order) stands there, any where none does; the bias then hides it.
        self.window_gather = g.input("window_gather", TensorProto.INT64, ["places"])
        self.window_scatter = g.input("window_scatter", TensorProto.INT64, ["patches"])
        self.window_bias = g.input("window_bias", TensorProto.FLOAT, ["windows", 1, 1, self.in_window])
        units = g.op("Reshape", x, g.ints(-1, self.unit * self.hidden))
        return g.op("Reshape", g.op("Gather", units, order, axis=0), g.ints(-1, self.hidden))

    def block(self, name, x, windowed):
        g = self.g
        normed = self.norm(f"{name}.norm1", x, self.parts["norm"])
        q, k, v = g.op("Split", self.linear(f"{name}.attn.qkv", normed), axis=1, num_outputs=3, outputs=3)
        attend = self.window_attention if windowed else self.group_attention
        x = g.op("Add", x, self.linear(f"{name}.attn.proj", attend(self.rotate(q), self.rotate(k), v)))
        return g.op("Add", x, self.mlp(name, self.norm(f"{name}.norm2", x, self.parts["norm"])))

    def rotate(self, x):
        """Rotary positions: [patches, hidden] → [patches, hidden]."""
        g = self.g
        a, b = g.op("Split", g.op("Reshape", x, g.ints(-1, self.heads, self.head_dim)), axis=2, num_outputs=2, outputs=2)
        first = g.op("Sub", g.op("Mul", a, self.cos), g.op("Mul", b, self.sin))
        second = g.op("Add", g.op("Mul", b, self.cos), g.op("Mul", a, self.sin))
        return g.op("Reshape", g.op("Concat", first, second, axis=2), g.ints(-1, self.hidden))

    def group_attention(self, q, k, v):
        g, scale = self.g, self.head_dim**-0.5
        groups = [g.op("Reshape", x, self.group_shape) for x in (q, k, v)]

        def fused():
            return g.op("MultiHeadAttention", *groups, domain=CONTRIB, num_heads=self.heads, scale=scale)

        def plain():
            def heads(x, perm):
                return g.op("Transpose", g.op("Reshape", x, g.ints(0, -1, self.heads, self.head_dim)), perm=perm)

            by_head, keys, values = heads(groups[0], [0, 2, 1, 3]), heads(groups[1], [0, 2, 3, 1]), heads(groups[2], [0, 2, 1, 3])
            shares = g.op("Softmax", g.op("Mul", g.op("MatMul", by_head, keys), g.number(scale)), axis=-1)
            return g.op("Reshape", g.op("Transpose", g.op("MatMul", shares, values), perm=[0, 2, 1, 3]), self.group_shape)

        return g.op("Reshape", g.choose(self.fused, fused, plain), g.ints(-1, self.hidden))

    def window_attention(self, q, k, v):
        """Windows at the edges are smaller, so each is filled up to the full size; what was filled in gets no attention and is left out again."""
        g = self.g

        def windows(x, perm):
            gathered = g.op("Reshape", g.op("Gather", x, self.window_gather, axis=0), g.ints(-1, self.in_window, self.heads, self.head_dim))
            return g.op("Transpose", gathered, perm=perm)

        scores = g.op("Mul", g.op("MatMul", windows(q, [0, 2, 1, 3]), windows(k, [0, 2, 3, 1])), g.number(self.head_dim**-0.5))
        shares = g.op("Softmax", g.op("Add", scores, self.window_bias), axis=-1)
        out = g.op("Transpose", g.op("MatMul", shares, windows(v, [0, 2, 1, 3])), perm=[0, 2, 1, 3])
        return g.op("Gather", g.op("Reshape", out, g.ints(-1, self.hidden)), self.window_scatter, axis=0)

    def mlp(self, name, x):
        names = self.parts["names"]
        up = self.linear(f"{name}.{names['up']}", x)
        if self.parts["mlp"] == "gated":
            inner = self.g.op("Mul", self.activate(self.shape["act"], self.linear(f"{name}.{names['gate']}", x)), up)
        else:
            inner = self.activate(self.shape["act"], up)
        return self.linear(f"{name}.{names['down']}", inner)

    def merger(self, name, x, norm_after):
        """Four patches become one row of the language model's input."""
        g, parts = self.g, self.parts["merger"]
        joined = g.ints(-1, self.unit * self.hidden)
        if norm_after:
            x = self.norm(f"{name}.{parts['norm']}", g.op("Reshape", x, joined), self.parts["norm"])
        else:
            x = g.op("Reshape", self.norm(f"{name}.{parts['norm']}", x, self.parts["norm"]), joined)
        inner = self.activate(parts["act"], self.linear(f"{name}.{parts['up']}", x))
        return self.linear(f"{name}.{parts['down']}", inner)
