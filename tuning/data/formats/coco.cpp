// Pictures with boxes as COCO's annotations have them.
#include <map>
#include <nlohmann/json.hpp>

#include "tuning/data/formats.h"
#include "tuning/data/image.h"

namespace lapis {
namespace {

using Json = nlohmann::json;

struct Picture {
  std::string file;
  double width = 0, height = 0;
  std::vector<float> boxes;  // rows of kColumns
};

constexpr int64_t kColumns = 6;  // class, x0, y0, x1, y1, crowd

// The pictures in the order of the file, by their number.
Result<std::vector<Picture>> pictures_of(const Settings& settings, const Json& json, std::map<int64_t, size_t>& by_id) {
  std::vector<Picture> pictures;
  const Path folder = settings.file("images");
  for (const Json& image : json["images"]) {
    by_id[image.at("id").get<int64_t>()] = pictures.size();
    pictures.push_back({(folder / image.at("file_name").get<std::string>()).string(),
                        image.value("width", 0.0),
                        image.value("height", 0.0),
                        {}});
  }
  return pictures;
}

Status add_box(const Settings& settings, const Json& annotation, const std::map<int64_t, size_t>& by_id,
               std::vector<Picture>& pictures) {
  const auto at = by_id.find(annotation.at("image_id").get<int64_t>());
  if (at == by_id.end())
    return settings.problem("an annotation belongs to the image " + annotation.at("image_id").dump() +
                            ", which the file does not list");
  Picture& picture = pictures[at->second];
  const auto box = annotation.at("bbox").get<std::vector<double>>();
  if (box.size() != 4) return settings.problem("a `bbox` of " + picture.file + " has not four numbers");
  double sx = 1, sy = 1;
  if (settings.flag("relative")) {
    if (!(picture.width > 0 && picture.height > 0))
      return settings.problem("`relative` needs the width and height of " + picture.file);
    sx = picture.width, sy = picture.height;
  }
  for (const double v : {annotation.at("category_id").get<double>(), box[0] / sx, box[1] / sy, (box[0] + box[2]) / sx,
                         (box[1] + box[3]) / sy, annotation.value("iscrowd", 0.0)})
    picture.boxes.push_back(static_cast<float>(v));
  return ok();
}

Result<std::vector<Picture>> read_coco(const Settings& settings) {
  const Path file = settings.file("annotations");
  LAPIS_TRY(const std::string text, read_file(file));
  try {
    const Json json = Json::parse(text);
    std::map<int64_t, size_t> by_id;
    LAPIS_TRY(std::vector<Picture> pictures, pictures_of(settings, json, by_id));
    for (const Json& annotation : json.at("annotations")) LAPIS_CHECK(add_box(settings, annotation, by_id, pictures));
    return pictures;
  } catch (const Json::exception& e) {
    return error(ErrorKind::Input, std::string("not a file of COCO annotations: ") + e.what())
        .at(file.string())
        .help(
            "it needs `images` with `id` and `file_name`, and `annotations` with `image_id`, `category_id` and `bbox`");
  }
}

Result<Column> open_coco(const Settings& settings, Role role) {
  LAPIS_TRY(const std::vector<Picture> pictures, read_coco(settings));
  Column c{static_cast<int64_t>(pictures.size()), {}, {}};
  if (role == Role::Labels) {
    c.read = [pictures](int64_t i) -> Result<Tensor> {
      const std::vector<float>& boxes = pictures[static_cast<size_t>(i)].boxes;
      return Tensor::of<float>({static_cast<int64_t>(boxes.size()) / kColumns, kColumns}, boxes);
    };
    return c;
  }
  for (const Picture& p : pictures) c.names.push_back(p.file);
  c.read = [files = c.names](int64_t i) { return decode_image(files[static_cast<size_t>(i)]); };
  return c;
}

}  // namespace

std::vector<Format> coco_formats() {
  return {
      {.name = "coco",
       .doc = "pictures in the order of COCO annotations; as labels their boxes: rows of class, x0, y0, x1, y1, crowd",
       .options =
           {{.name = "annotations", .kind = OptionKind::File, .doc = "instances_val2017.json, say", .required = true},
            {.name = "images", .kind = OptionKind::File, .doc = "the folder of the pictures", .required = true},
            {.name = "relative",
             .kind = OptionKind::Flag,
             .doc = "boxes from 0 to 1 across the picture, for models that see it resized"}},
       .open = open_coco}};
}

}  // namespace lapis
