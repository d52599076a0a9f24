import type { SampleSkeleton } from './sample-skeleton.ts';
import type { TextReader } from './text-reader.ts';

const MAX_SKELETONS = 1024;
const MAX_OF_ONE_KEY = 16;
const KEYED_BYTES = 64;

/** Skeletons by their first key. When full it starts over; the most recently learned come first. */
export class SkeletonCache {
  readonly #byFirstKey = new Map<number, SampleSkeleton[]>();
  #size = 0;
  /** Where the object ends that `find` has found. */
  foundEnd = 0;

  /** The skeleton that reads the object at `start`; it holds what it read. */
  find(data: Uint8Array, start: number, end: number, texts: TextReader): SampleSkeleton | undefined {
    const candidates = this.#byFirstKey.get(firstKeyHash(data, start, end));
    if (candidates === undefined) return undefined;
    for (const skeleton of candidates) {
      this.foundEnd = skeleton.read(data, start, end, texts);
      if (this.foundEnd >= 0) return skeleton;
    }
    return undefined;
  }

  add(data: Uint8Array, start: number, end: number, skeleton: SampleSkeleton): void {
    if (this.#size >= MAX_SKELETONS) {
      this.#byFirstKey.clear();
      this.#size = 0;
    }
    const hash = firstKeyHash(data, start, end);
    let candidates = this.#byFirstKey.get(hash);
    if (candidates === undefined) this.#byFirstKey.set(hash, (candidates = []));
    candidates.unshift(skeleton);
    if (candidates.length > MAX_OF_ONE_KEY) candidates.pop();
    else this.#size++;
  }
}

/** FNV-1a of what stands before the first colon. */
function firstKeyHash(data: Uint8Array, start: number, end: number): number {
  const to = Math.min(end, start + KEYED_BYTES);
  let hash = 0x811c9dc5 | 0;
  for (let at = start; at < to && data[at] !== 0x3a; at++) hash = Math.imul(hash ^ data[at]!, 0x01000193);
  return hash;
}
