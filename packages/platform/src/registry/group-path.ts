import { SelsynError } from '../kernel/errors.ts';

/** `/` is the root; `/acme/building-42/floor-2` a node below it. */
export const ROOT_GROUP = '/';
export const MAX_GROUP_DEPTH = 16;
export const MAX_GROUP_PATH = 512;
/** No `.` and `..`: a proxy or a person might read `/a/../b` as `/b`. */
const GROUP_PATH = /^(\/(?!\.{1,2}(?:\/|$))[A-Za-z0-9:_.-]{1,64}){1,16}$/;

/** Sorts right after `/`, so that everything below a path lies between the path with a slash and the path with this. */
export const AFTER_SLASH = '0';

export function isGroupPath(text: string): boolean {
  return text === ROOT_GROUP || (text.length <= MAX_GROUP_PATH && GROUP_PATH.test(text));
}

/** @throws SelsynError `request.invalid` */
export function parseGroupPath(text: string): string {
  if (isGroupPath(text)) return text;
  throw new SelsynError(
    'request.invalid',
    'a group is a path as /acme/building-42: up to 16 names, each 1 to 64 of A-Z a-z 0-9 : _ . -, none of them . or ..',
    { details: { field: 'group' } },
  );
}

/** True for the node itself and everything below it. */
export function isWithin(path: string, ancestor: string): boolean {
  return ancestor === ROOT_GROUP || path === ancestor || path.startsWith(`${ancestor}/`);
}

/** The node and all above it, the root first. */
export function lineageOf(path: string): readonly string[] {
  if (path === ROOT_GROUP) return [ROOT_GROUP];
  const names = path.slice(1).split('/');
  return [ROOT_GROUP, ...names.map((_, index) => `/${names.slice(0, index + 1).join('/')}`)];
}

/** The node above; undefined for the root. */
export function parentOf(path: string): string | undefined {
  if (path === ROOT_GROUP) return undefined;
  const end = path.lastIndexOf('/');
  return end === 0 ? ROOT_GROUP : path.slice(0, end);
}
