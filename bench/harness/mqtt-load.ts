import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

export interface LoadOptions {
  readonly port: number;
  readonly connections: number;
  readonly qos: 0 | 1 | 2;
  readonly seconds: number;
  readonly warmup?: number;
  /** Unacknowledged messages of a connection, where there is no rate. */
  readonly window?: number;
  /** Messages a second of all connections together. */
  readonly rate?: number;
  readonly timeBaseMs?: number;
}

export interface LoadResult {
  readonly sent: number;
  readonly acked: number;
  readonly counted: number;
  readonly seconds: number;
  readonly perSecond: number;
  readonly latencyUs: { readonly p50: number; readonly p99: number; readonly p999: number };
  readonly errors: number;
  readonly closed: number;
  readonly loadCpuSeconds: number;
}

/** Compiles bench/load/mqtt-load.c if need be and returns the program's path. */
export function loadProgram(): string {
  const source = join(import.meta.dirname, '..', 'load', 'mqtt-load.c');
  const program = join(import.meta.dirname, '..', 'build', 'mqtt-load');
  if (!existsSync(program) || statSync(program).mtimeMs < statSync(source).mtimeMs) {
    mkdirSync(join(program, '..'), { recursive: true });
    execFileSync('cc', ['-O2', '-Wall', '-Wextra', '-o', program, source], { stdio: 'inherit' });
  }
  return program;
}

/** Runs the load to its end. */
export async function runLoad(options: LoadOptions): Promise<LoadResult> {
  const args = Object.entries(options).flatMap(([name, value]) => [`--${name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`, String(value)]);
  const child = spawn(loadProgram(), args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  child.stdout.on('data', (piece: Buffer) => (text += piece.toString()));
  await new Promise((resolve) => child.once('close', resolve));
  if (text === '') throw new Error('the load generator printed nothing');
  return JSON.parse(text) as LoadResult;
}
