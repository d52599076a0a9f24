import { expect, test } from 'vitest';
import { reasonsAgainst } from './password-rules.ts';

test.each([
  'correct horse battery staple',
  'Tr0ub4dor&3-was-too-short',
  'моя кошка любит рыбу',
  '猫が好きです。犬も好きです。鳥もね',
  'x9$kQ!mZ2@pL7#vB',
  'four random plain words',
  'seven hills in the fog '.repeat(11),
])('takes %s', (password) => {
  expect(reasonsAgainst(password, ['ann', 'Ann Example'])).toEqual([]);
});

test.each([
  ['', 'has 0 characters'],
  ['fourteen chars', 'has 14 characters'],
  // One character each, whatever it takes in UTF-16.
  ['😀'.repeat(14), 'has 14 characters'],
  ['x'.repeat(257), 'has 257 characters'],
  ['passwordpassword', 'tried first'],
  ['PassWord12345678', 'tried first'],
  ['qwertyuiop123456', 'tried first'],
  ['letmeinletmeinletmein', 'tried first'],
  ['aaaaaaaaaaaaaaaa', 'simple pattern'],
  ['abababababababab', 'simple pattern'],
  ['xyz1xyz1xyz1xyz1', 'simple pattern'],
  ['abcdefghijklmnopq', 'simple pattern'],
  ['98765432109876543210', 'simple pattern'],
  ['asdfghjkl zxcvbnm', 'simple pattern'],
  ['selsyn-selsyn-2026', 'a name'],
  ['ann.example.2026', 'a name'],
  ['AnnExampleSelsyn!', 'a name'],
])('refuses %j, since it %s', (password, reason) => {
  expect(reasonsAgainst(password, ['ann.example', 'Ann Example'])).toEqual([expect.stringContaining(reason)]);
});
