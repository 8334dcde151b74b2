// Lapis: an int8 graph compiler for CPUs. This header is the whole C++ API; lapis_c.h is the C ABI of the runtime.
#pragma once

#include "lapis/compile.h"
#include "lapis/executable.h"
#include "lapis/executor.h"
#include "lapis/result.h"
#include "lapis/tensor.h"
#include "lapis/translator.h"
