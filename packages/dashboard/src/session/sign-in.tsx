import { Button } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { fetchOidcMethod } from '../api/sign-in.ts';
import { useServices } from '../app/services.ts';
import { Logo } from '../ui/logo.tsx';
import { KeyForm } from './key-form.tsx';
import { failedSignIn } from './oidc-failure.ts';
import { PasswordForm } from './password-form.tsx';
import type { SignedOutReason } from './session.ts';
import styles from './sign-in.module.css';

/** The ways in: by name and password, by OpenID Connect where the server offers it, by a key. */
export function SignIn({ reason }: { readonly reason: SignedOutReason }) {
  const { client } = useServices();
  const [byKey, setByKey] = useState(reason === 'refused');
  const [failure] = useState(() => failedSignIn(location.search));
  const { data: oidc } = useQuery({ queryKey: ['sign-in-methods'], queryFn: ({ signal }) => fetchOidcMethod(client, signal) });
  return (
    <main className={styles.page}>
      <div className={styles.card}>
        <div className={styles.brand}>
          <Logo size={30} />
          <h1>Selsyn</h1>
        </div>
        {reason === 'ended' && <p className={styles.note}>Your session has ended.</p>}
        {failure !== undefined && (
          <p className={styles.fault} role="alert">
            {failure}
          </p>
        )}
        {byKey ? <KeyForm refused={reason === 'refused'} /> : <PasswordForm />}
        {oidc !== undefined && !byKey && (
          <Button
            variant="default"
            fullWidth
            component="a"
            href={`${oidc.url}?returnTo=${encodeURIComponent(location.pathname)}`}
          >
            {oidc.label}
          </Button>
        )}
        <button type="button" className={styles.other} onClick={() => setByKey(!byKey)}>
          {byKey ? 'Sign in with a user name' : 'Sign in with an API key'}
        </button>
      </div>
    </main>
  );
}
