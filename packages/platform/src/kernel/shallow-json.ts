/** Whether a JSON value has at most so many levels of objects and arrays: who walks through it calls itself for each. */
export function isShallow(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return true;
  return levels > 0 && Object.values(value).every((item) => isShallow(item, levels - 1));
}
