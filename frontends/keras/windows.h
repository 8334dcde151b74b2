// What layers that work on windows of pixels share.
#pragma once

#include "frontends/common/windows.h"
#include "frontends/keras/translators.h"

namespace lapis::keras_frontend {

// The window of this size that the layer's options say, over an image that has its channels first;
// `strides` where they do not say them.
Result<frontend::Window> window(const Translation& t, std::vector<int64_t> kernel, const std::vector<int64_t>& strides,
                                const Type& image);

}  // namespace lapis::keras_frontend
