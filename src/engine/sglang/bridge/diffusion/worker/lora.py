"""Hook on set_lora: SGLang calls it a success when an adapter's names fit no layer of the model."""

import functools


class NoSuchLayers(ValueError):
    """The adapter fits nothing in this model."""


def hook(pipeline):
    cls = pipeline.LoRAPipeline
    cls._apply_lora_to_layers, cls.set_lora  # both or none
    cls._apply_lora_to_layers = counting(cls._apply_lora_to_layers)
    cls.set_lora = strict(cls.set_lora)


def counting(apply):
    @functools.wraps(apply)
    def _apply_lora_to_layers(self, lora_layers, lora_nicknames, *args, **kwargs):
        fits = getattr(self, "_dsgl_fits", None)
        if fits is not None:
            for nickname in lora_nicknames:
                adapter = self.lora_adapters[nickname]
                fits[nickname] = fits.get(nickname, 0) + sum(f"{name}.lora_A" in adapter and f"{name}.lora_B" in adapter for name in lora_layers)
        return apply(self, lora_layers, lora_nicknames, *args, **kwargs)

    return _apply_lora_to_layers


def strict(set_lora):
    """Each adapter of the call must fit a layer; else nothing of it stays, and the model is as without adapters."""

    @functools.wraps(set_lora)
    def strictly(self, *args, **kwargs):
        self._dsgl_fits = fits = {}
        try:
            result = set_lora(self, *args, **kwargs)
        finally:
            self._dsgl_fits = None
        misfits = [nickname for nickname, layers in fits.items() if layers == 0]
        if not misfits:
            return result
        self.deactivate_lora_weights("all")
        for nickname in misfits:
            for table in ("lora_adapters", "loaded_adapter_paths", "loaded_adapter_alphas"):
                getattr(self, table, {}).pop(nickname, None)
        raise NoSuchLayers(f"LoRA {', '.join(misfits)} fits no layer of this model: its weights have other names; no LoRA is active now")

    return strictly
