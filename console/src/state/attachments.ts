// Files that go with a message, as parts of its content.

import type { Fields } from "../api/client";

export const LARGEST = 4 * 1024 * 1024;

/** Read a file into a content part: a picture as `input_image`, anything else as `input_file`. */
export function attached(file: File): Promise<Fields> {
  return new Promise((done, failed) => {
    if (file.size > LARGEST) return failed(new Error(`${file.name} is larger than ${LARGEST / 1024 / 1024} MiB.`));
    const reader = new FileReader();
    reader.onerror = () => failed(new Error(`${file.name} could not be read.`));
    reader.onload = () => {
      const url = String(reader.result);
      done(file.type.startsWith("image/") ? { type: "input_image", image_url: url } : { type: "input_file", filename: file.name, file_data: url });
    };
    reader.readAsDataURL(file);
  });
}
