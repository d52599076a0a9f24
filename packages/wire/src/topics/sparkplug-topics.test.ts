import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseSparkplugTopic, sparkplugNames } from './sparkplug-topics.ts';

test.each([
  ['spBv1.0/G/NBIRTH/N', 'NBIRTH', 'G:N', 'G:N'],
  ['spBv1.0/G/NDATA/N', 'NDATA', 'G:N', 'G:N'],
  ['spBv1.0/G/DDATA/N/D', 'DDATA', 'G:N', 'G:N:D'],
  ['spBv1.0/Plant 1/DBIRTH/N/Über:2', 'DBIRTH', 'Plant::201:N', 'Plant::201:N:::c3::9cber::3a2'],
])('%s is %s of %s', (topic, message, nodeId, id) => {
  expect(parseSparkplugTopic(topic)).toMatchObject({ message, nodeId, id });
});

test.each([
  'spBv1.0/G/NBIRTH',
  'spBv1.0/G/NBIRTH/N/D',
  'spBv1.0/G/DDATA/N',
  'spBv1.0/G/NCMD/N',
  'spBv1.0/STATE/host',
  'spBv1.0//NDATA/N',
  'spBv1.0/G/NDATA/',
  'spBv1.0/G/DDATA/N/',
  'spBv1.0/G/DDATA/N/D/E',
  'spAv1.0/G/NDATA/N',
  `spBv1.0/${'g'.repeat(100)}/NDATA/${'n'.repeat(40)}`,
])('%s is none of an edge node', (topic) => {
  expect(parseSparkplugTopic(topic)).toBeUndefined();
});

test('an id names its node again, whatever the names are, and no two have the same one', () => {
  const name = fc
    .string({ unit: 'grapheme', minLength: 1, maxLength: 8 })
    .map((text) => text.replaceAll(/[+#/]/g, '_'))
    .filter((text) => text.isWellFormed() && !text.includes('\0'));
  const mixed = fc.oneof(name, fc.constantFrom('a', '20b', ':', '::20', ':::', 'a b', ' b', 'b ', 'c3'));
  fc.assert(
    fc.property(mixed, mixed, fc.option(mixed, { nil: undefined }), (group, node, device) => {
      const topic = device === undefined ? `spBv1.0/${group}/NDATA/${node}` : `spBv1.0/${group}/DDATA/${node}/${device}`;
      const parsed = parseSparkplugTopic(topic);
      if (parsed === undefined) return;
      expect(parsed.id).toMatch(/^[A-Za-z0-9:_.-]{1,128}$/);
      expect(sparkplugNames(parsed.id)).toEqual({ group, node, ...(device !== undefined && { device }) });
    }),
    { numRuns: 2000 },
  );
});

test.each(['plain', 'a:b:c:d', ':b', 'a:', 'a::', ''])('%j is no id of Sparkplug', (id) => {
  expect(sparkplugNames(id)).toBeUndefined();
});
