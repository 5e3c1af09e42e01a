"""Sounds of a request. SGLang's processor of Qwen2-Audio (multimodal/processors/qwen_audio.py) writes the lengths of all sounds to the first one's item, where its
model asks each item for its own (models/qwen2_audio.py, get_audio_feature)."""

LENGTHS = "audio_feature_lens"


def own_lengths(items: list):
    """Each item of a sound gets the length that is its own; others stay as they are."""
    heard = [item for item in items if item.is_audio()]
    together = heard[0].model_specific_data.get(LENGTHS) if heard else None
    if together is None or len(together) != len(heard):
        return
    for at, item in enumerate(heard):
        item.model_specific_data = {**item.model_specific_data, LENGTHS: together[at : at + 1]}
