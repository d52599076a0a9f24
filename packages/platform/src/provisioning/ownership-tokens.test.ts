import { randomBytes } from 'node:crypto';
import { expect, it } from 'vitest';
import { openTestCertificates } from '../pki/certificate-service.fixture.ts';
import { OWNERSHIP_LIFE_MS, OwnershipTokens } from './ownership-tokens.ts';

const DRAFT = { certificateId: 'c1', asker: 'claim1', clientId: 'u', remoteAddress: '192.0.2.1', steps: ['CSR accepted'] };

it('a token is looked at as often as one likes, and used once, by whom it was given to, in its hour', async () => {
  await using pki = await openTestCertificates();
  const { database, clock } = pki;
  const tokens = new OwnershipTokens({ clock, random: randomBytes });
  const [one = '', other = ''] = await tokens.issue([DRAFT, { ...DRAFT, certificateId: 'c2' }], database);
  const why = async (work: Promise<unknown>) =>
    await work.then(
      () => 'good',
      (error: Error) => error.message,
    );
  const owned = await tokens.look(one, 'claim1', database);
  expect(owned).toMatchObject({ certificateId: 'c1', steps: ['CSR accepted'] });
  expect(await why(tokens.look(one, 'claim2', database))).toBe('ownership token was given to another');
  expect(await why(tokens.look(`${one}x`, 'claim1', database))).toBe('ownership token is not known');
  await tokens.use(owned, database);
  expect(await why(tokens.use(owned, database))).toBe('ownership token was used meanwhile, or has expired');
  expect(await why(tokens.look(one, 'claim1', database))).toBe('ownership token was used before');

  const late = await tokens.look(other, 'claim1', database);
  clock.advance(OWNERSHIP_LIFE_MS);
  expect(await why(tokens.look(other, 'claim1', database))).toBe('ownership token has expired');
  expect(await why(tokens.use(late, database))).toBe('ownership token was used meanwhile, or has expired');
  expect(await tokens.forgetExpired(database, 10)).toMatchObject({ forgotten: 2, unclaimed: [{ certificateId: 'c2' }] });
  expect(await tokens.forgetExpired(database, 10)).toEqual({ forgotten: 0, unclaimed: [] });
});
