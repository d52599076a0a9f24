import { expect, test } from 'vitest';
import { PasswordHashes } from './password-hashes.ts';

test('a hash is argon2id with what OWASP asks for, and verifies its own password only', async () => {
  const hashes = new PasswordHashes();
  const stored = await hashes.make('correct horse');
  expect(stored).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/);
  expect(await hashes.make('correct horse')).not.toBe(stored);
  expect(await hashes.verify(stored, 'correct horse')).toBe(true);
  expect(await hashes.verify(stored, 'correct Horse')).toBe(false);
  expect(await hashes.verify(undefined, 'correct horse')).toBe(false);
});

test('a password is the same from every keyboard', async () => {
  const hashes = new PasswordHashes();
  expect(await hashes.verify(await hashes.make('caf\u00e9 \ufb01sh'), 'cafe\u0301 fish')).toBe(true);
});

test('a flood is refused instead of taking all memory, and those who wait get their turn', async () => {
  const hashes = new PasswordHashes();
  const outcomes = await Promise.allSettled(Array.from({ length: 100 }, async () => await hashes.verify(undefined, 'x')));
  const refused = outcomes.filter((outcome) => outcome.status === 'rejected');
  expect(refused).toHaveLength(34);
  for (const { reason } of refused) expect(reason).toMatchObject({ code: 'request.rate-limited', retryable: true });
  expect(await hashes.verify(undefined, 'x')).toBe(false);
});
