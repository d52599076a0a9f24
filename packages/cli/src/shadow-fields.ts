import { readFileSync } from 'node:fs';
import { CliError } from './cli-error.ts';

export type JsonObject = { [key: string]: unknown };

/**
 * What `selsyn shadow set` is given: `fan.speed=3` sets a value within objects, `fan.on-` takes it away. A value is JSON, and text where
 * it is none: `mode=eco` and `mode='"eco"'` are the same, `n='"3"'` is a text.
 *
 * @throws CliError for what is neither, and where two of them do not go together
 */
export function assignedFields(assignments: readonly string[]): JsonObject {
  const fields: JsonObject = Object.create(null) as JsonObject;
  for (const assignment of assignments) {
    const [, path = '', value] = /^([^=]+?)(?:=([\s\S]*)|-)$/.exec(assignment) ?? [];
    const names = path.split('.');
    if (path === '' || names.includes('')) throw new CliError(`"${assignment}" is neither NAME=VALUE nor NAME-`);
    assign(fields, names, value === undefined ? null : valueOf(value), assignment);
  }
  return fields;
}

/** An object as JSON, or `@FILE` with one. @throws CliError */
export function objectOf(option: string, text: string): JsonObject | null {
  let value: unknown;
  try {
    value = JSON.parse(text.startsWith('@') ? readFileSync(text.slice(1), 'utf8') : text);
  } catch (error) {
    throw new CliError(`${option}: ${error instanceof Error ? error.message : String(error)}`);
  }
  if (typeof value === 'object' && !Array.isArray(value)) return value as JsonObject | null;
  throw new CliError(`${option} must be a JSON object, or null`);
}

function assign(fields: JsonObject, names: readonly string[], value: unknown, assignment: string): void {
  let at = fields;
  for (const name of names.slice(0, -1)) {
    const inner = (at[name] ??= Object.create(null) as JsonObject);
    if (typeof inner !== 'object' || inner === null) throw new CliError(`"${assignment}" does not go together with the others`);
    at = inner as JsonObject;
  }
  const last = names.at(-1) ?? '';
  if (last in at) throw new CliError(`"${assignment}" does not go together with the others`);
  at[last] = value;
}

function valueOf(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}
