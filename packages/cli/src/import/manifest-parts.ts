import { CliError } from '../cli-error.ts';

/** Some rows of a manifest, as a file of their own. */
export interface ManifestPart {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Lines of the file before these rows, without the first one where it names the columns. */
  readonly rowsBefore: number;
  /** How much of the file has been read with it. */
  readonly readBytes: number;
}

const LINE_FEED = 0x0a;
/** Longer than any row that is taken. */
const MAX_LINE_BYTES = 1024 * 1024;

/**
 * Cuts a manifest into parts of whole lines, CSV with its first line in each. A serial number has no line break, so that a line is a row.
 *
 * @param size of a part, about.
 * @throws CliError for a line that never ends
 */
export async function* partsOfManifest(
  chunks: AsyncIterable<Uint8Array>,
  { format, size }: { readonly format: 'csv' | 'jsonl'; readonly size: number },
): AsyncGenerator<ManifestPart> {
  let held = Buffer.alloc(0);
  let header: Buffer | undefined = format === 'csv' ? undefined : Buffer.alloc(0);
  let rows = 0;
  let readBytes = 0;
  const part = (end: number): ManifestPart => {
    const body = held.subarray(0, end);
    held = held.subarray(end);
    const made = { bytes: new Uint8Array(Buffer.concat([header ?? Buffer.alloc(0), body])), rowsBefore: rows, readBytes };
    rows += countLines(body);
    return made;
  };
  for await (const chunk of chunks) {
    held = Buffer.concat([held, chunk]);
    readBytes += chunk.length;
    if (header === undefined) {
      const end = held.indexOf(LINE_FEED) + 1;
      if (end === 0 && held.length <= MAX_LINE_BYTES) continue;
      if (end === 0) throw new CliError('the first line of the file does not end: is it a manifest?');
      header = Buffer.from(held.subarray(0, end));
      held = held.subarray(end);
    }
    if (held.length < size) continue;
    const end = held.lastIndexOf(LINE_FEED) + 1;
    if (end > 0) yield part(end);
    else if (held.length > MAX_LINE_BYTES) throw new CliError(`row ${rows + 1} of the file does not end: is it a manifest?`);
  }
  if (held.length > 0 || rows === 0) yield part(held.length);
}

function countLines(bytes: Uint8Array): number {
  let count = 0;
  for (let at = bytes.indexOf(LINE_FEED); at !== -1; at = bytes.indexOf(LINE_FEED, at + 1)) count++;
  return count;
}
