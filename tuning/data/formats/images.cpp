// Pictures as uint8 [H, W, C], RGB: arrays of them, and folders of files.
#include <algorithm>

#include "tuning/data/formats.h"
#include "tuning/data/image.h"
#include "tuning/data/npy.h"

namespace lapis {

namespace {

std::string wanted_layout(const std::string& layout) {
  return layout == "NHW" ? "[N,H,W]" : layout == "NHWC" ? "[N,H,W,C]" : "[N,H,W] or [N,H,W,C]";
}

Result<Column> array(const Settings& settings) {
  const std::string name = settings.text("npy"), layout = settings.text("layout");
  LAPIS_TRY(Tensor table, read_npy(settings.file("npy")));
  const int64_t rank = layout.empty() ? table.rank() : static_cast<int64_t>(layout.size());
  if (table.dtype() != DType::UInt8 || table.rank() != rank || rank < 3 || rank > 4)
    return settings.problem("images must be uint8 " + wanted_layout(layout) + ", got " + to_string(table, 0));
  if (table.size() == 0) return settings.problem(name + " has no images: " + to_string(table.shape()));
  Shape shape = table.shape();
  if (rank == 3) shape.push_back(1);
  return column_of(table.reshaped(shape));
}

Diagnostic bad(const Path& folder, const std::string& what) {
  return error(ErrorKind::Input, what).at(folder.string()).help("docs/datasets.md describes what it must hold");
}

// Files below the folder in the order of their paths.
Result<std::vector<std::string>> files_in(const Path& folder) {
  std::vector<std::string> files;
  std::error_code failed;
  for (auto at = std::filesystem::recursive_directory_iterator(folder, failed);
       !failed && at != std::filesystem::recursive_directory_iterator(); at.increment(failed))
    if (at->is_regular_file(failed)) files.push_back(at->path().string());
  if (failed) return bad(folder, "cannot read the folder: " + failed.message());
  if (files.empty()) return bad(folder, "the folder holds no images");
  std::sort(files.begin(), files.end());
  return files;
}

Result<Column> folder(const Settings& settings) {
  LAPIS_TRY(const std::vector<std::string> files, files_in(settings.file("folder")));
  auto read = [files](int64_t i) { return decode_image(files[static_cast<size_t>(i)]); };
  return Column{static_cast<int64_t>(files.size()), read, files};
}

Result<Column> cropped(Column images, int64_t size) {
  images.read = [files = images.names, read = images.read, size](int64_t i) -> Result<Tensor> {
    LAPIS_TRY(const Tensor image, read(i));
    if (image.dim(0) < size || image.dim(1) < size)
      return error(ErrorKind::Input, "the image is smaller than the centre crop")
          .at(files[static_cast<size_t>(i)])
          .help("resize it first: transforms: [{resize: " + std::to_string(size) + "}, ...] (docs/datasets.md)");
    const int64_t side = size ? size : std::min(image.dim(0), image.dim(1));
    return center_cropped(image, side, side);
  };
  return images;
}

Result<Column> open_images(const Settings& settings, Role) {
  if (settings.has("npy") == settings.has("folder"))
    return settings.problem(settings.has("npy") ? "`images` has `npy` and `folder`: which of them?"
                                                : "`images` needs `npy` or `folder`");
  if (settings.has("layout") && !settings.has("npy"))
    return settings.problem("`layout` is for arrays; decoded images are RGB");
  if (settings.has("center_crop") && !settings.has("folder"))
    return settings.problem("`center_crop` is for images of a `folder`; arrays take the transform center_crop");
  if (settings.has("npy")) return array(settings);
  LAPIS_TRY(Column images, folder(settings));
  return cropped(std::move(images), settings.whole("center_crop"));
}

Result<Column> open_folder(const Settings& settings, Role) { return folder(settings); }

}  // namespace

std::vector<Format> image_formats() {
  return {
      {.name = "images",
       .doc = "pictures: an array, or the middle squares of a folder of files",
       .options = {{.name = "npy", .kind = OptionKind::File, .doc = "uint8 array [N,H,W] or [N,H,W,C]"},
                   {.name = "folder",
                    .kind = OptionKind::File,
                    .doc = "files below it, in the order of their paths, decoded to RGB"},
                   {.name = "layout",
                    .doc = "which of the two an array must be: NHW or NHWC",
                    .choices = {"NHW", "NHWC"}},
                   {.name = "center_crop",
                    .kind = OptionKind::Whole,
                    .doc = "of a folder: the middle so many pixels of each axis; default: the largest square",
                    .low = 1,
                    .high = 1 << 15}},
       .open = open_images},
      {.name = "folder",
       .doc = "whole pictures of a folder, of any size",
       .options = {{.name = "folder", .kind = OptionKind::File, .doc = "as of `images`", .required = true}},
       .open = open_folder},
  };
}

}  // namespace lapis
