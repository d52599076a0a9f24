import { readFileSync } from 'node:fs';
import { CliError } from './cli-error.ts';

/** The bytes of a file that a command was given; `-`: of the standard input. @throws CliError */
export function readInput(file: string): Buffer {
  try {
    return readFileSync(file === '-' ? 0 : file);
  } catch (error) {
    throw new CliError(`${nameOf(file)} cannot be read: ${reasonOf(error)}`);
  }
}

/** As `readInput`. @throws CliError */
export function readText(file: string): string {
  return readInput(file).toString();
}

/** As `readInput`. @throws CliError */
export function readJson(file: string): unknown {
  try {
    return JSON.parse(readText(file));
  } catch (error) {
    if (error instanceof CliError) throw error;
    throw new CliError(`${nameOf(file)} is not JSON: ${reasonOf(error)}`);
  }
}

function nameOf(file: string): string {
  return file === '-' ? 'the standard input' : file;
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
