import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { onAbruptEnd } from './exit-cleanup.ts';

export interface LoadLatency {
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
}

/** What a program is linked with. */
const LIBRARIES: Readonly<Record<string, readonly string[]>> = { 'mqtt-connect': ['-lssl', '-lcrypto'] };

const SOURCES = join(import.meta.dirname, '..', 'load');

/** Compiles bench/load/{name}.c if need be and returns the program's path. */
export function loadProgram(name: string): string {
  const source = join(SOURCES, `${name}.c`);
  const headers = readdirSync(SOURCES).filter((file) => file.endsWith('.h'));
  const program = join(import.meta.dirname, '..', 'build', name);
  const newest = Math.max(...[source, ...headers.map((file) => join(SOURCES, file))].map((file) => statSync(file).mtimeMs));
  if (!existsSync(program) || statSync(program).mtimeMs < newest) {
    mkdirSync(join(program, '..'), { recursive: true });
    execFileSync('cc', ['-O2', '-Wall', '-Wextra', '-o', program, source, ...(LIBRARIES[name] ?? [])], { stdio: 'inherit' });
  }
  return program;
}

/** Starts a load program; `{ timeBaseMs: 5 }` becomes `--time-base-ms 5`. It does not outlive this process. */
export function startLoad(name: string, options: object): ChildProcess {
  const args = Object.entries(options).flatMap(([option, value]) => [
    `--${option.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`,
    String(value),
  ]);
  const child = spawn(loadProgram(name), args, { stdio: ['pipe', 'pipe', 'inherit'] });
  const forget = onAbruptEnd(() => child.kill('SIGKILL'));
  child.once('close', forget);
  return child;
}

/** Runs a load program to its end and returns the JSON it prints. `input` goes to its standard input. */
export async function runLoadProgram<T>(name: string, options: object, input = ''): Promise<T> {
  const child = startLoad(name, options);
  let text = '';
  child.stdout?.on('data', (piece: Buffer) => (text += piece.toString()));
  // One that ends without reading says why itself, and prints nothing.
  child.stdin?.on('error', () => undefined);
  child.stdin?.end(input);
  await new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  if (text === '') throw new Error(`${name} printed nothing`);
  return JSON.parse(text) as T;
}
