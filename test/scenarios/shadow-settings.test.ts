import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { Selsyn } from '../harness/selsyn.ts';

it('fields to search by and merge policies are set, listed and removed by the command line', async () => {
  await using selsyn = await Selsyn.start();
  const run = async (...args: string[]) => await selsyn.cli(...args);
  expect(await run('search-field', 'list')).toMatchObject({ code: 0, stdout: 'no search fields\n' });
  expect(await run('search-field', 'add', 'shadow.reported.mode')).toMatchObject({
    code: 0,
    stdout: 'added shadow.reported.mode\n',
  });
  expect((await run('search-field', 'list')).stdout).toMatch(/^shadow\.reported\.mode +\d{4}-.* all devices$/m);
  expect(await run('search-field', 'remove', 'shadow.reported.mode')).toMatchObject({ code: 0 });
  const again = await run('search-field', 'remove', 'shadow.reported.mode');
  expect([again.code, again.stderr]).toEqual([1, expect.stringContaining('search-field.not-found')]);

  const script = join(selsyn.data, 'merge.js');
  writeFileSync(script, 'function merge({ ours }) { return ours.value; }');
  expect(await run('merge-policy', 'set', 'reported-wins', '--type', 'boiler')).toMatchObject({ code: 0 });
  expect(await run('merge-policy', 'set', 'custom', '--shadow', '', '--script', script)).toMatchObject({ code: 0 });
  const { stdout } = await run('merge-policy', 'list');
  expect(stdout).toMatch(/^\(all\) +\(classic\) +custom$/m);
  expect(stdout).toMatch(/^boiler +\(all\) +reported-wins$/m);
  expect(await run('merge-policy', 'remove', '--shadow', '')).toMatchObject({ code: 0 });
  const left = await run('merge-policy', 'list', '--json');
  expect(JSON.parse(left.stdout)).toMatchObject({ deviceType: 'boiler', policy: 'reported-wins' });
});
