/** Copies `data[start, end)` to memory of its own, so that it keeps nothing else alive. */
export function copyBytes(data: Uint8Array, start: number, end: number): Uint8Array {
  const copy = new Uint8Array(end - start);
  copy.set(data.subarray(start, end));
  return copy;
}
