"""A GGUF model with its weights as they are dequantised, to compare servers without the noise of quantised products."""

from pathlib import Path

import numpy as np
from gguf import GGUFReader, GGUFValueType, GGUFWriter
from gguf.quants import dequantize

LEFT_OUT = ("GGUF.", "general.architecture", "general.file_type", "general.quantization_version")


def write_unquantised(model: Path, out: Path) -> Path:
    """Copy a GGUF file's fields and tokenizer, and its tensors in float32."""
    reader = GGUFReader(model)
    arch = reader.get_field("general.architecture")
    assert arch is not None
    writer = GGUFWriter(out, arch.contents())
    for name, field in reader.fields.items():
        if not name.startswith(LEFT_OUT):
            inner = field.types[-1] if field.types[0] == GGUFValueType.ARRAY else None
            writer.add_key_value(name, field.contents(), field.types[0], sub_type=inner)
    for tensor in reader.tensors:
        writer.add_tensor(tensor.name, np.ascontiguousarray(dequantize(tensor.data, tensor.tensor_type), np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return out
