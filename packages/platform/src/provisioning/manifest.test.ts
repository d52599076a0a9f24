import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EVERYTHING } from '../registry/scope.ts';
import { readManifest, type ReadRow } from './manifest-reader.ts';
import { chunksOf, openTestProvisioning, TEMPLATE, TEST_ACTOR } from './provisioning.fixture.ts';

async function read(text: string, format: 'csv' | 'jsonl' = 'csv', size = text.length, batch?: string): Promise<ReadRow[]> {
  const rows: ReadRow[] = [];
  for await (const some of readManifest(chunksOf(text, size), format, batch)) rows.push(...some);
  return rows;
}

const entry = (serial: string, more: object = {}) => ({ serial, batch: null, keyHash: null, proofHash: null, ...more });

describe('a manifest', () => {
  it('in CSV has its columns in any order, with comma, semicolon or tab, quotes, and the line ends of any system', async () => {
    const digest = createHash('sha256').update('key').digest();
    const hmac = 'ab'.repeat(32);
    const expected = [
      entry('1', {
        batch: 'b',
        keyHash: digest.toString('base64url'),
        proofHash: createHash('sha256').update(hmac).digest('base64url'),
      }),
      entry('a,b'),
    ];
    const rows = (line: (cells: string[]) => string, end: string) =>
      [
        ['batch', 'serial', 'keyHash', 'hmac'],
        ['b', '1', digest.toString('hex').toUpperCase(), hmac.toUpperCase()],
        ['', '"a,b"', '', ''],
      ]
        .map((cells) => line(cells) + end)
        .join('');
    for (const delimiter of [',', ';', '\t']) {
      for (const end of ['\n', '\r\n']) {
        const text = rows((cells) => cells.join(delimiter), end);
        expect((await read(`\ufeff${text}`)).map((row) => ('entry' in row ? row.entry : row))).toEqual(expected);
      }
    }
  });

  it('that is not UTF-8 is told so, row by row', async () => {
    const rows: ReadRow[] = [];
    const bytes = Buffer.from('serial\nx\ny\n');
    bytes[7] = 0xff;
    async function* chunks() {
      yield bytes;
    }
    for await (const some of readManifest(chunks(), 'csv')) rows.push(...some);
    expect(rows).toMatchObject([
      { row: 1, reason: 'the row is not UTF-8' },
      { row: 2, entry: { serial: 'y' } },
    ]);
  });

  it('takes the hash of a key as openssl prints it, and in base64', async () => {
    const digest = createHash('sha256').update('key').digest();
    const hex = digest.toString('hex');
    const spellings = [
      hex,
      hex.toUpperCase().replace(/(..)(?!$)/g, '$1:'),
      digest.toString('base64'),
      digest.toString('base64url'),
    ];
    const rows = await read(spellings.map((keyHash, i) => JSON.stringify({ serial: String(i), keyHash })).join('\n'), 'jsonl');
    expect(rows).toEqual(
      spellings.map((_, i) => ({ row: i + 1, entry: entry(String(i), { keyHash: digest.toString('base64url') }) })),
    );
  });

  it.each([
    ['{"serial":1}', 'serial is no text'],
    ['{}', 'the row has no serial'],
    ['{"serial":"a\\u0000"}', 'a serial number has 1 to 128 printable characters'],
    ['{"serial":"a\\ud800"}', 'a serial number has 1 to 128 printable characters'],
    ['{"serial":"' + 'x'.repeat(129) + '"}', 'a serial number has 1 to 128 printable characters'],
    ['{"serial":"1","colour":"red"}', 'there is no field "colour": there are serial, batch, keyHash, hmac'],
    ['{"serial":"1","batch":"a b"}', 'the name of a batch is 1 to 128 of A-Z a-z 0-9 : _ . -'],
    ['{"serial":"1","keyHash":"abc"}', 'it is no SHA-256 of a public key (SPKI): 64 hex digits, or base64'],
    ['{"serial":"1","hmac":"abc"}', 'an HMAC is 16 to 64 bytes in hex'],
    ['["1"]', 'the line is no JSON object'],
    ['nonsense', 'the line is not JSON'],
  ])('refuses %.40s and says why, and takes what is around it', async (line, reason) => {
    const rows = await read(`{"serial":"before"}\n${line}\n\n{"serial":"after"}`, 'jsonl');
    expect(rows).toMatchObject([{ row: 1 }, { row: 2, reason }, { row: 4, entry: { serial: 'after' } }]);
  });

  it.each([
    ['serial\n1,2\n', 'the row has 2 cells, the first line has 1'],
    ['serial\n"a\n', 'the row is not CSV: a quote stands where none may be, or one is not closed'],
    [`serial\n${'x'.repeat(70_000)}\n`, 'the row is longer than 64 KB'],
  ])('refuses the row of %.20s', async (text, reason) => expect(await read(text)).toMatchObject([{ row: 1, reason }]));

  it.each([
    ['', 'the file is empty'],
    ['id,name\n1,2\n', 'the column "id" is none of'],
    ['serial,serial\n', 'a column stands there twice'],
    ['batch\n', 'no column is named serial'],
  ])('whose first line is %j is none', async (text, message) => {
    await expect(read(text)).rejects.toMatchObject({ code: 'request.invalid', message: expect.stringContaining(message) });
  });

  it('is the same however it is cut on its way', async () => {
    const text = `serial,batch\n${Array.from({ length: 40 }, (_, i) => `"s,${i}ä",b${i % 3}`).join('\r\n')}\n`;
    const whole = await read(text);
    expect(whole).toHaveLength(40);
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 60 }), async (size) => {
        expect(await read(text, 'csv', size)).toEqual(whole);
      }),
      { numRuns: 30 },
    );
  });
});

describe('an upload', () => {
  it('may be repeated; what says something else of a serial is refused, also within one file', async () => {
    await using test = await openTestProvisioning();
    await test.putTemplate();
    const { manifest } = test.provisioning;
    const upload = async (text: string, batch?: string) => {
      const { refusals, ...counts } = await manifest.upload(
        TEMPLATE,
        chunksOf(text, 7),
        { format: 'csv', batch },
        EVERYTHING,
        TEST_ACTOR,
      );
      return { ...counts, rows: refusals.map(({ row }) => row) };
    };
    expect(await upload('serial,batch\na,\nb,x\n')).toEqual({ rows: [], added: 2, unchanged: 0, refused: 0 });
    expect(await upload('serial,batch\na,\nb,x\nc,\n')).toMatchObject({ added: 1, unchanged: 2 });
    expect(await upload('serial,batch\na,y\nd,\nd,\nd,z\n')).toMatchObject({ added: 1, unchanged: 1, refused: 2, rows: [1, 4] });
    expect(await upload('serial\ne\n', 'x')).toMatchObject({ added: 1 });
    expect(await manifest.list(TEMPLATE, { limit: 10 }, EVERYTHING)).toMatchObject([
      { serial: 'a' },
      { serial: 'b', batch: 'x' },
      { serial: 'c' },
      { serial: 'd' },
      { serial: 'e', batch: 'x' },
    ]);
  });

  it('of many rows goes on in steps, and keeps what came before it broke off', async () => {
    await using test = await openTestProvisioning();
    await test.putTemplate();
    async function* broken(): AsyncGenerator<Uint8Array> {
      yield* chunksOf(`serial\n${Array.from({ length: 2_500 }, (_, i) => `s${i}`).join('\n')}\n`);
      throw new Error('the line is cut');
    }
    const { manifest } = test.provisioning;
    await expect(manifest.upload(TEMPLATE, broken(), { format: 'csv' }, EVERYTHING, TEST_ACTOR)).rejects.toThrow(
      'the line is cut',
    );
    expect(await manifest.list(TEMPLATE, { limit: 5_000 }, EVERYTHING)).toHaveLength(2_000);
    expect(await test.pki.trail.list({ limit: 5, action: 'manifest.add' })).toMatchObject([{ after: { added: 2_000 } }]);
  });

  it('keeps a bounded number of refusals, and counts the others', async () => {
    await using test = await openTestProvisioning();
    await test.putTemplate();
    const text = `serial\n${'a,b\n'.repeat(10_500)}`;
    const result = await test.provisioning.manifest.upload(TEMPLATE, chunksOf(text), { format: 'csv' }, EVERYTHING, TEST_ACTOR);
    expect([result.refused, result.refusals.length]).toEqual([10_500, 10_000]);
  });

  it('goes with its template, and a new one of the same name knows nothing of it', async () => {
    await using test = await openTestProvisioning();
    await test.putTemplate();
    await test.putManifest('serial\n1\n');
    await test.provisioning.templates.remove(TEMPLATE, EVERYTHING, TEST_ACTOR);
    await test.putTemplate();
    expect(await test.provisioning.manifest.list(TEMPLATE, { limit: 5 }, EVERYTHING)).toEqual([]);
  });
});
