const WORDS: Readonly<Record<string, string>> = {
  'sign-in.unavailable': 'The identity provider cannot be reached. Try again, or sign in another way.',
  'access.denied': 'The identity provider knows you, but you have no role here. Ask an administrator of this server for one.',
};
const OTHERWISE = 'The sign-in by the identity provider failed. Try again.';

/** What the server says of a sign-in by OpenID Connect in `?sign-in-failed=CODE` of an address. */
export function failedSignIn(search: string): string | undefined {
  const code = new URLSearchParams(search).get('sign-in-failed');
  return code === null ? undefined : (WORDS[code] ?? OTHERWISE);
}
