// NumPy arrays: .npy files one behind the other, and an array of an .npz archive.
#include <algorithm>
#include <numeric>

#include "tuning/data/formats.h"
#include "tuning/data/npy.h"

namespace lapis {
namespace {

bool alike(const Tensor& a, const Tensor& b) {
  return a.dtype() == b.dtype() && a.rank() == b.rank() &&
         std::equal(a.shape().begin() + 1, a.shape().end(), b.shape().begin() + 1);
}

Column one_behind_the_other(std::vector<Tensor> parts) {
  if (parts.size() == 1) return column_of(std::move(parts[0]));
  Column c;
  c.size = std::accumulate(parts.begin(), parts.end(), int64_t{0},
                           [](int64_t sum, const Tensor& part) { return sum + part.dim(0); });
  c.read = [parts = std::move(parts)](int64_t i) -> Result<Tensor> {
    size_t p = 0;
    while (i >= parts[p].dim(0)) i -= parts[p++].dim(0);
    return sample_of(parts[p], i);
  };
  return c;
}

Result<Column> open_npy(const Settings& settings, Role) {
  const std::vector<std::string> names = settings.texts("files");
  std::vector<Tensor> parts;
  for (const Path& file : settings.files("files")) {
    LAPIS_TRY(Tensor part, read_npy(file));
    const std::string& name = names[parts.size()];
    if (part.rank() < 1) return settings.problem(name + " has no sample axis");
    if (!parts.empty() && !alike(part, parts[0]))
      return settings.problem(name + " is " + to_string(part, 0) + ", which does not continue " +
                              to_string(parts[0], 0) + " of " + names[0]);
    parts.push_back(std::move(part));
  }
  return one_behind_the_other(std::move(parts));
}

Result<Column> open_npz(const Settings& settings, Role) {
  LAPIS_TRY(Tensor table, read_npz(settings.file("file"), settings.text("array")));
  if (table.rank() < 1) return settings.problem("the array '" + settings.text("array") + "' has no sample axis");
  return column_of(std::move(table));
}

}  // namespace

std::vector<Format> array_formats() {
  return {
      {.name = "npy",
       .doc = "rows of a NumPy array; a list of files of one type and shape is concatenated",
       .options = {{.name = "files", .kind = OptionKind::Files, .doc = "one name or a list", .required = true}},
       .open = open_npy},
      {.name = "npz",
       .doc = "rows of an array of a NumPy archive, compressed or not",
       .options = {{.name = "file", .kind = OptionKind::File, .doc = "the archive", .required = true},
                   {.name = "array", .doc = "its name in the archive", .required = true}},
       .open = open_npz},
  };
}

}  // namespace lapis
