"""The forward and backward pass of decoder models over packed tokens: no padding, no gradient of frozen weights.

`layout` reads a transformers model into the few tensors that a pass needs, or says that it cannot; `passing` runs the
pass. Each step of it (`norm`, `fan`, `rotary`, `attention`, `decoder_layer`, `head`) has its gradient written out
beside it. A model without a layout, or one whose layout computes something else (`parity`), goes through
transformers' own code.

Imports PyTorch, so it is imported on demand only.
"""

__all__: list[str] = []
