import { expect, it } from 'vitest';
import { draftOf, formOf, sampleFault, SCRIPT_TEMPLATE, TEMPLATES } from './decoder-draft.ts';

const known = { name: 'p', description: undefined, isBuiltIn: false, compression: 'none', updatedAtMs: 1 };

it('shows the source of a script as it is, any other format as JSON, and sends back the same', () => {
  for (const format of [
    { kind: 'script', source: SCRIPT_TEMPLATE },
    { kind: 'packed', layout: '>h', fields: ['t'] },
  ]) {
    expect(draftOf(formOf({ ...known, format }))).toEqual({ draft: { name: 'p', description: '', compression: 'none', format } });
  }
  expect(formOf({ ...known, format: { kind: 'script', source: SCRIPT_TEMPLATE } }).text).toBe(SCRIPT_TEMPLATE);
});

it('says what is wrong with a format before it is sent', () => {
  const form = formOf({ ...known, format: { kind: 'json' } });
  expect(draftOf({ ...form, text: '{"kind":' })).toHaveProperty('fault');
  expect(draftOf({ ...form, text: '{"layout": ">h"}' })).toHaveProperty('fault');
});

it('tells samples that are not what they are said to be', () => {
  expect(sampleFault('hex', '09 2F0c\ne4')).toBe('');
  expect(sampleFault('hex', '09 2')).not.toBe('');
  expect(sampleFault('base64', 'CS8M5A==')).toBe('');
  expect(sampleFault('base64', '{"a":1}')).not.toBe('');
  expect(sampleFault('text', ' ')).not.toBe('');
  for (const { encoding, sample } of TEMPLATES) expect(sampleFault(encoding, sample)).toBe('');
});
