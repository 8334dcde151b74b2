#include "frontends/common/source_graph.h"

namespace lapis::frontend {

SourceAttribute::SourceAttribute() = default;
SourceAttribute::SourceAttribute(const SourceAttribute& other) = default;
SourceAttribute::SourceAttribute(SourceAttribute&& other) noexcept = default;
SourceAttribute& SourceAttribute::operator=(const SourceAttribute& other) = default;
SourceAttribute& SourceAttribute::operator=(SourceAttribute&& other) noexcept = default;
SourceAttribute::~SourceAttribute() = default;

}  // namespace lapis::frontend
