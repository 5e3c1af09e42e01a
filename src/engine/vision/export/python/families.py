"""What the towers of Qwen's models differ in, as data; and one such tower read from config.json."""

from failure import Failure

QWEN2_VL = {
    "norm": "layer",
    "mlp": "plain",
    "names": {"up": "mlp.fc1", "down": "mlp.fc2"},
    "merger": {"norm": "ln_q", "up": "mlp.0", "down": "mlp.2", "act": "gelu"},
    "act": "quick_gelu",
}
QWEN2_5_VL = {
    "norm": "rms",
    "mlp": "gated",
    "names": {"gate": "mlp.gate_proj", "up": "mlp.up_proj", "down": "mlp.down_proj"},
    "merger": {"norm": "ln_q", "up": "mlp.0", "down": "mlp.2", "act": "gelu"},
    "act": "silu",
}
QWEN3_VL = {
    "norm": "layer",
    "mlp": "plain",
    "names": {"up": "mlp.linear_fc1", "down": "mlp.linear_fc2"},
    "merger": {"norm": "norm", "up": "linear_fc1", "down": "linear_fc2", "act": "gelu"},
    "act": "gelu_pytorch_tanh",
}

FAMILIES = {
    "qwen2_vl": QWEN2_VL,
    "qwen2_5_vl": QWEN2_5_VL,
    "qwen3_vl": QWEN3_VL,
    "qwen3_vl_moe": QWEN3_VL,
    "qwen3_5": QWEN3_VL,
    "qwen3_5_moe": QWEN3_VL,
}

ACTIVATIONS = ("silu", "quick_gelu", "gelu", "gelu_pytorch_tanh")


def family_of(config):
    family = config.get("model_type")
    if family not in FAMILIES:
        raise Failure(f"towers of model_type {family!r} cannot be exported; known: {', '.join(FAMILIES)}")
    return family


def describe(config):
    """The tower's shape in our words: what the graph is built from, and what the host must know (the file's metadata)."""
    family = family_of(config)
    vision = config.get("vision_config")
    if not isinstance(vision, dict):
        raise Failure("config.json has no vision_config")

    def field(*names, default=None):
        for name in names:
            if vision.get(name) is not None:
                return vision[name]
        if default is None:
            raise Failure(f"config.json: vision_config has no {names[0]}")
        return default

    act = field("hidden_act", default=FAMILIES[family]["act"])
    if act not in ACTIVATIONS:
        raise Failure(f"config.json: hidden_act {act!r} is not known; known: {', '.join(ACTIVATIONS)}")
    # Qwen2-VL calls the tower's own width embed_dim, and what leaves it hidden_size.
    older = family == "qwen2_vl"
    hidden = field("embed_dim" if older else "hidden_size")
    positions = field("num_position_embeddings", default=0) if FAMILIES[family] is QWEN3_VL else 0
    side = int(positions**0.5)
    if side * side != positions:
        raise Failure(f"num_position_embeddings {positions} is no square")
    windows = FAMILIES[family] is QWEN2_5_VL
    heads = field("num_heads")
    if hidden % heads or (hidden // heads) % 4:
        raise Failure(f"a hidden size of {hidden} in {heads} heads leaves no head that rotary positions fit")
    rope = vision.get("rope_parameters") or {}
    return {
        "family": family,
        "depth": field("depth"),
        "hidden": hidden,
        "heads": heads,
        "act": act,
        "channels": field("in_channels", "in_chans", default=3),
        "patch": field("patch_size", "spatial_patch_size"),
        "merge": field("spatial_merge_size"),
        "temporal": field("temporal_patch_size"),
        "theta": rope.get("rope_theta", 10000.0),
        "out": field("hidden_size" if older else "out_hidden_size"),
        "window": field("window_size") if windows else 0,
        "fullBlocks": list(field("fullatt_block_indexes")) if windows else [],
        "side": side,
        "deepstack": list(vision.get("deepstack_visual_indexes") or []) if positions else [],
    }
