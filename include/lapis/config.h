// Names and symbol visibility of the public API. Public headers use the standard library only.
#pragma once

#define LAPIS_EXPORT __attribute__((visibility("default")))

// Public types live in lapis::v1, which users see as lapis. Lapis' own sources see both, so there it is not inline.
#ifdef LAPIS_IMPLEMENTATION
#define LAPIS_PUBLIC_NAMESPACE namespace v1
#else
#define LAPIS_PUBLIC_NAMESPACE inline namespace v1
#endif
