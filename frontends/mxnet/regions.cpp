#include "frontends/common/regions.h"

#include "frontends/mxnet/translators.h"

namespace lapis::mxnet_frontend {

static Result<frontend::Regions> regions_of(Translation& t) {
  Options o(t);
  const bool aligned = o.flag("aligned", false), by_position = o.flag("position_sensitive", false);
  frontend::Regions r = {o.list("pooled_size"), o.number("spatial_scale", 1), aligned ? 0.5 : 0.0,
                         o.integer("sample_ratio", -1)};
  LAPIS_CHECK(o.status());
  if (by_position) return Translation::unsupported("channels that depend on the position");
  return r;
}

Status roi_align(Translation& t) {
  LAPIS_TRY(const frontend::Regions regions, regions_of(t));
  LAPIS_TRY(Value * map, operand(t, 0));
  LAPIS_TRY(Value * boxes, operand(t, 1));
  LAPIS_TRY(Value * cells, below_boxes(t, map, boxes, regions));
  return finish(t, cells);
}

}  // namespace lapis::mxnet_frontend
