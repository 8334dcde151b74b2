// Arbitrary bytes are a model, which then survives export, import and compilation, or an error.
// Seeds: any folder of .onnx files.
#include "tests/fuzz/model_entry.h"
