"""A language model as one GGUF file: what llama.cpp has to be told of its network, its tokens and its weights."""
