import { existsSync } from 'node:fs';
import { join } from 'node:path';

/**
 * The path of a program that a test runs against, or undefined where it is not installed (the test is then skipped, with
 * a printed reason). Under CI a missing program is a failure.
 */
export function findProgram(name: string): string | undefined {
  const path = [...(process.env['PATH'] ?? '').split(':'), '/usr/sbin']
    .map((folder) => join(folder, name))
    .find((candidate) => existsSync(candidate));
  if (path === undefined && process.env['CI'] !== undefined)
    throw new Error(`${name} is not installed, and CI must not skip what needs it`);
  if (path === undefined) process.stderr.write(`${name} is not installed: what needs it is skipped\n`);
  return path;
}
