"""How somebody else runs a model: the lines of Python for its kind and capability."""

from __future__ import annotations

from aictl.artifacts.capability import ABILITIES, Capability
from aictl.artifacts.model import Model

_TEXT = '"The capital of France is"'
_ASK: dict[Capability, str] = {
    "text-generation": f"print(tokenizer.decode(model.generate(**tokenizer({_TEXT}, return_tensors='pt'))[0]))",
    "text-to-text": f"print(tokenizer.decode(model.generate(**tokenizer({_TEXT}, return_tensors='pt'))[0]))",
    "text-classification": f"print(model(**tokenizer({_TEXT}, return_tensors='pt')).logits.softmax(-1))",
    "reranking": "print(model(**tokenizer('question', 'text', return_tensors='pt')).logits)",
    "masked-language-modelling": f"print(model(**tokenizer({_TEXT}, return_tensors='pt')).logits.shape)",
    "image-classification": "print(model(**processor(images=image, return_tensors='pt')).logits.softmax(-1))",
    "object-detection": "print(model(**processor(images=image, return_tensors='pt')).pred_boxes)",
    "image-text": "print(model(**processor(text=['a cat'], images=image, return_tensors='pt')).logits_per_image)",
}


def python_lines(model: Model) -> list[str]:
    """A short program; FOLDER stands for where the files were put, PICTURE for one to
    look at. Empty for what Python cannot say in short."""
    capability = model.capability
    if model.kind == "onnx":
        return [
            "import onnxruntime",
            "",
            'session = onnxruntime.InferenceSession("FOLDER/model.onnx")',
            "print([(one.name, one.type, one.shape) for one in session.get_inputs()])",
        ]
    if capability is None or model.kind not in ("checkpoint", "adapter"):
        return []
    if capability == "embedding" and model.kind == "checkpoint":
        return [
            "from sentence_transformers import SentenceTransformer",
            "",
            'model = SentenceTransformer("FOLDER")',
            f"print(model.encode([{_TEXT}]).shape)",
        ]
    ability = ABILITIES[capability]
    reader = "AutoTokenizer" if ability.reads == ("text",) else "AutoImageProcessor"
    reader = "AutoProcessor" if len(ability.reads) > 1 else reader
    variable = "tokenizer" if reader == "AutoTokenizer" else "processor"
    lines = ["from PIL import Image"] if "image" in ability.reads else []
    lines += [f"from transformers import {ability.auto_class}, {reader}"]
    if model.kind == "adapter":
        lines += ["from peft import PeftModel", "", f'base = {ability.auto_class}.from_pretrained("BASE")']
        lines += ['model = PeftModel.from_pretrained(base, "FOLDER")', f'{variable} = {reader}.from_pretrained("BASE")']
    else:
        lines += ["", f'model = {ability.auto_class}.from_pretrained("FOLDER")']
        lines += [f'{variable} = {reader}.from_pretrained("FOLDER")']
    if "image" in ability.reads:
        lines.append('image = Image.open("PICTURE").convert("RGB")')
    return [*lines, _ASK[capability]] if capability in _ASK else lines
