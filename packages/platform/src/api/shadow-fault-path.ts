import { isSelsynError, SelsynError } from '../kernel/errors.ts';
import type { Json, ShadowPatch } from '../shadows/shadow-document.ts';

/**
 * Says where in a request the node stands that a shadow cannot have: `details.path`, a JSON pointer (RFC 6901) into the body.
 *
 * A shadow takes any JSON but a null within an array, the key `__proto__`, and more levels than it may have: so the node at fault is the
 * first of the former, or else the deepest there is.
 */
export async function withFaultPath<T>(patch: ShadowPatch, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!isSelsynError(error, 'shadow.invalid')) throw error;
    const path = faultPath(patch);
    if (path === undefined) throw error;
    throw new SelsynError('shadow.invalid', `${error.message}: ${path}`, { cause: error, details: { ...error.details, path } });
  }
}

/** A value that is still to be looked at. */
interface Place {
  readonly value: Json;
  readonly path: string;
  readonly levels: number;
  readonly inArray: boolean;
}

export function faultPath({ desired, reported }: ShadowPatch): string | undefined {
  let deepest: Place | undefined;
  // By a list of its own, not by recursion: what comes in may be as deep as its bytes allow.
  const open: Place[] = [];
  if (reported !== undefined) open.push({ value: reported, path: '/reported', levels: 0, inArray: false });
  if (desired !== undefined) open.push({ value: desired, path: '/desired', levels: 0, inArray: false });
  for (let place = open.pop(); place !== undefined; place = open.pop()) {
    const { value, path, levels, inArray } = place;
    if (value === null && inArray) return path;
    if (levels > (deepest?.levels ?? 0)) deepest = place;
    if (typeof value !== 'object' || value === null) continue;
    const isArray = Array.isArray(value);
    for (const [key, child] of Object.entries(value).reverse()) {
      const at = `${path}/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`;
      if (key === '__proto__') return at;
      open.push({ value: child, path: at, levels: levels + 1, inArray: isArray || inArray });
    }
  }
  return deepest?.path;
}
