import { expect, test } from 'vitest';
import { loadConfig } from './config.ts';
import { allowedHosts, listOf, oidcSettings, sessionLimits } from './people-settings.ts';

const load = (...assignments: string[]) => loadConfig({ environment: {}, assignments }).config;
const WHOLE = [
  'oidc.issuer=https://id.example',
  'oidc.clientId=selsyn',
  'oidc.clientSecret=s',
  'http.publicUrl=https://selsyn.example',
];

test('sessions end after an hour without a request, and after twelve', () => {
  expect(sessionLimits(load())).toEqual({ idleMs: 3_600_000, maxMs: 43_200_000 });
});

test('there is no identity provider until one is set, and then it needs the rest too', () => {
  expect(oidcSettings(load())).toBeUndefined();
  expect(() => oidcSettings(load('oidc.issuer=https://id.example'))).toThrow(
    'oidc.issuer needs http.publicUrl, oidc.clientId, oidc.clientSecret too',
  );
  expect(oidcSettings(load(...WHOLE, 'oidc.roles=[{"value":"admins","role":"administrator"}]'))).toMatchObject({
    redirectUri: 'https://selsyn.example/api/v1/session/oidc/callback',
    claim: 'groups',
    rules: [{ value: 'admins', role: 'administrator', group: '/' }],
  });
});

test.each([
  'oidc.issuer=http://id.example',
  'oidc.issuer=id.example',
  'oidc.roles=nonsense',
  'oidc.roles=[{"value":"a","role":"viewer","group":"acme"}]',
  'oidc.roles=[{"value":"a","rôle":"viewer"}]',
  'http.publicUrl=selsyn.example',
  'http.publicUrl=https://selsyn.example/below',
  'people.sessionMaxHours=0',
])('%s is refused', (assignment) => {
  expect(() => load(assignment)).toThrow(assignment.slice(0, assignment.indexOf('=')));
});

test('a secret that is not valid does not stand in the message', () => {
  expect(() => load('access.adminKey=short-secret')).toThrow(/^((?!short-secret).)*$/);
});

test('the public name is one under which a server on loopback may be called', () => {
  expect(allowedHosts(load('http.allowedHosts=a.example, b.example', 'http.publicUrl=https://c.example:8443'))).toEqual([
    'a.example',
    'b.example',
    'c.example',
  ]);
  expect(listOf(' ,, ')).toEqual([]);
});
