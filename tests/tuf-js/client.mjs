// SPDX-License-Identifier: GPL-3.0-or-later
// One update by tuf-js, and downloads. Standard input: {"modules", "metadata", "downloads", "url", "targets"}; the answer
// is one JSON object with versions and what was found, or the error by its class.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const options = JSON.parse(readFileSync(0, "utf8"));
const { Updater } = createRequire(`${options.modules}/`)("tuf-js");
const answer = { targets: {} };
try {
  const updater = new Updater({
    metadataDir: options.metadata,
    metadataBaseUrl: `${options.url}/metadata`,
    targetDir: options.downloads,
    targetBaseUrl: `${options.url}/targets`,
    config: { fetchRetries: 0 },
  });
  await updater.refresh();
  for (const path of options.targets) {
    const found = await updater.getTargetInfo(path);
    answer.targets[path] = found === undefined ? null : await updater.downloadTarget(found);
  }
} catch (error) {
  answer.error = error.constructor.name;
  answer.message = String(error.message ?? error);
}
console.log(JSON.stringify(answer));
