import { mkdirSync, rmSync } from 'node:fs';
import { DuckDBInstance, type DuckDBConnection } from '@duckdb/node-api';

export interface EngineLimits {
  readonly memoryBytes: number;
  readonly threads: number;
  /** Where it writes what does not fit into memory; undefined: nowhere. */
  readonly scratchDir: string | undefined;
  readonly maxScratchBytes: number;
}

/** An engine with nothing in it. It loads no extensions, and asks nothing of the network. */
export async function openEngine(limits: EngineLimits): Promise<{ instance: DuckDBInstance; connection: DuckDBConnection }> {
  const instance = await DuckDBInstance.create(':memory:', {
    memory_limit: `${limits.memoryBytes}B`,
    threads: String(limits.threads),
    temp_directory: limits.scratchDir ?? '',
    max_temp_directory_size: `${limits.maxScratchBytes}B`,
    autoinstall_known_extensions: 'false',
    autoload_known_extensions: 'false',
    allow_community_extensions: 'false',
    allow_unredacted_secrets: 'false',
    preserve_insertion_order: 'true',
    // It would give what an older file had that was at the same path, of the same size, within the same second.
    enable_external_file_cache: 'false',
  });
  const connection = await instance.connect();
  return { instance, connection };
}

/** Takes from an engine every file but those in these folders, for good, and all else that is outside of it. */
export async function shutIn(connection: DuckDBConnection, folders: readonly string[]): Promise<void> {
  await connection.run(`SET allowed_directories = [${folders.map((folder) => literal(`${folder}/`)).join(', ')}]`);
  await connection.run('SET enable_external_access = false');
}

/** From here on no setting can be changed. */
export async function lockSettings(connection: DuckDBConnection): Promise<void> {
  await connection.run('SET lock_configuration = true');
}

/** A folder with nothing in it. */
export function emptyFolder(path: string): void {
  rmSync(path, { recursive: true, force: true });
  mkdirSync(path, { recursive: true });
}

/** As a literal of SQL. */
export function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
