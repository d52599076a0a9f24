import { spawn } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { text } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import { endWithReader } from './closed-reader.ts';

test('a program whose reader has gone ends without a word', async () => {
  const module = new URL('./closed-reader.ts', import.meta.url).href;
  const script = `
    import { once } from 'node:events';
    import { endWithReader } from ${JSON.stringify(module)};
    endWithReader(process.stdout, process.exit);
    for (;;) if (!process.stdout.write('a row\\n'.repeat(1000))) await once(process.stdout, 'drain');`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'pipe'] });
  const said = text(child.stderr);
  child.stdout.once('data', () => child.stdout.destroy());
  const [code] = (await once(child, 'close')) as [number];
  expect(await said).toBe('');
  expect(code).toBe(141);
});

test('another failure of the output is thrown', () => {
  const output = new EventEmitter();
  endWithReader(output, () => undefined);
  expect(() => output.emit('error', new Error('EIO'))).toThrow('EIO');
});
