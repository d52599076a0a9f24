import { expect, test } from 'vitest';
import { documentText } from './job-document.ts';
import { commonGroup, parseTargets, targetText } from './job-targets.ts';

test('targets are devices, groups, fleets and types, each once', () => {
  const texts = ['device:a:b', 'group:/', 'group:/acme/b42', 'fleet:cold', 'type:boiler', 'device:a:b'];
  expect(parseTargets(texts).map(targetText)).toEqual(texts.slice(0, 5));
  for (const text of ['', 'a', 'device:', 'device:ä', 'group:acme', 'thing:x', 'fleet:a b', 'type:"']) {
    expect(() => parseTargets([text])).toThrow(expect.objectContaining({ code: 'request.invalid' }));
  }
});

test('a job stands in the nearest group that all of its targets are in', () => {
  expect(commonGroup(['/acme/b1/f1', '/acme/b1/f2'])).toBe('/acme/b1');
  expect(commonGroup(['/acme/b1', '/acme/b10'])).toBe('/acme');
  expect(commonGroup(['/acme/b1', '/acme/b1/f2'])).toBe('/acme/b1');
  expect(commonGroup(['/a', '/b'])).toBe('/');
  expect(commonGroup([])).toBe('/');
});

test('parameters are put into the texts of a document, as text and nothing else', () => {
  const document = { url: 'https://x/${parameters.version}.bin', deep: [{ v: '${parameters.version}' }], n: 1 };
  expect(JSON.parse(documentText(document, { version: '2.0"},{"a' }))).toEqual({
    url: 'https://x/2.0"},{"a.bin',
    deep: [{ v: '2.0"},{"a' }],
    n: 1,
  });
  expect(() => documentText(document)).toThrow(/version/);
  expect(() => documentText({ a: 1 }, { version: '1' })).toThrow(/does not name/);
  expect(() => documentText({ a: '${parameters.constructor}' }, {})).toThrow(/constructor/);
  expect(documentText({ a: '${aws:iot:s3-presigned-url:x}' })).toContain('${aws:iot');
  expect(() => documentText({ a: 'x'.repeat(32 * 1024) })).toThrow(expect.objectContaining({ code: 'request.too-large' }));
});
