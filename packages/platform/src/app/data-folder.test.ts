import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openDataFolder, readOrMakeAdminKey } from './data-folder.ts';

describe('the data folder', () => {
  let folder = '';
  beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'selsyn-data-'))));
  afterEach(() => rmSync(folder, { recursive: true }));

  const openInAnotherProcess = (): string =>
    spawnSync(
      process.execPath,
      [
        '-e',
        `import(${JSON.stringify(new URL('./data-folder.ts', import.meta.url).href)}).then((m) => m.openDataFolder(${JSON.stringify(folder)})).then(() => console.log('opened'), (e) => console.log(e.code))`,
      ],
      {
        encoding: 'utf8',
      },
    ).stdout.trim();

  it('belongs to one process at a time', () => {
    const data = openDataFolder(folder);
    expect(openInAnotherProcess()).toBe('data.locked');
    data[Symbol.dispose]();
    expect(openInAnotherProcess()).toBe('opened');
  });

  it('says so when the place is a file', () => {
    writeFileSync(join(folder, 'file'), '');
    expect(() => openDataFolder(join(folder, 'file'))).toThrow(expect.objectContaining({ code: 'data.unwritable' }));
  });

  it('makes the folders above it that are missing', () => {
    openDataFolder(join(folder, 'a', 'b', 'data'))[Symbol.dispose]();
    expect(statSync(join(folder, 'a', 'b', 'data')).mode & 0o777).toBe(0o700);
  });

  it.skipIf(process.platform !== 'linux')('says so at once where the system makes no folders', () => {
    expect(() => openDataFolder('/proc/selsyn/data')).toThrow(expect.objectContaining({ code: 'data.unwritable' }));
  });

  it('makes one administrator key, readable by its owner alone', () => {
    const path = join(folder, 'admin.key');
    const key = readOrMakeAdminKey(path);
    expect(key.length).toBeGreaterThan(30);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(readOrMakeAdminKey(path)).toBe(key);
  });

  it('does not take a cut-off key file for a key', () => {
    writeFileSync(join(folder, 'admin.key'), 'abc\n');
    expect(() => readOrMakeAdminKey(join(folder, 'admin.key'))).toThrow(expect.objectContaining({ code: 'data.corrupt' }));
  });
});
