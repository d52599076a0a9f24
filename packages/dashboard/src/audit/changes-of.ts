import { formatTime } from '../format/age.ts';

/** One field that is different; undefined: was not there, or is no more. */
export interface Change {
  readonly path: string;
  readonly before: string | undefined;
  readonly after: string | undefined;
}

/** When it was made and changed stands beside each change anyway. */
const UNSAID: ReadonlySet<string> = new Set(['createdAtMs', 'updatedAtMs']);

/** What is different between two JSON values, field by field. */
export function changesOf(before: unknown, after: unknown, path = ''): readonly Change[] {
  if (JSON.stringify(before) === JSON.stringify(after)) return [];
  if (!isObject(before ?? {}) || !isObject(after ?? {}))
    return [{ path, before: shown(path, before), after: shown(path, after) }];
  const [old, next] = [Object(before ?? {}) as object, Object(after ?? {}) as object];
  const names = [...new Set([...Object.keys(old), ...Object.keys(next)])].filter((name) => !UNSAID.has(name));
  if (names.length === 0) return path === '' ? [] : [{ path, before: shown(path, before), after: shown(path, after) }];
  return names.flatMap((name) =>
    changesOf(Reflect.get(old, name), Reflect.get(next, name), path === '' ? name : `${path}.${name}`),
  );
}

function shown(path: string, value: unknown): string | undefined {
  if (value === undefined) return undefined;
  if (typeof value === 'number' && path.endsWith('Ms')) return formatTime(value);
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
