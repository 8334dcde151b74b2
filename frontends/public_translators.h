// include/lapis/translator.h over the translators of frontends.
#pragma once

#ifndef LAPIS_IMPLEMENTATION
#error "define LAPIS_IMPLEMENTATION before the first include"
#endif

#include "frontends/common/options.h"
#include "lapis/translator.h"

namespace lapis::v1 {

std::vector<frontend::OwnTranslator> own_translators(const std::vector<Translator>& rows);

}  // namespace lapis::v1
