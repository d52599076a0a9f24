import { Button, Checkbox, PasswordInput } from '@mantine/core';
import { useState, type FormEvent } from 'react';
import { toProblem } from '../api/problem.ts';
import { fetchWho } from '../api/who.ts';
import { useServices } from '../app/services.ts';
import styles from './sign-in.module.css';

const REFUSED = 'The server does not know this key.';

/** Asks for the key and tries it before it is kept. */
export function KeyForm({ refused }: { readonly refused: boolean }) {
  const { client, session } = useServices();
  const [key, setKey] = useState('');
  const [keep, setKeep] = useState(false);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState(refused ? REFUSED : '');

  const submit = async () => {
    const tried = key.trim();
    if (tried === '') {
      setError('Paste the key first.');
      return;
    }
    setBusy(true);
    setError('');
    try {
      await fetchWho(client, tried);
      session.signIn(tried, keep);
    } catch (cause) {
      const problem = toProblem(cause);
      setError(problem.status === 401 ? REFUSED : `${problem.title}: ${problem.detail}`);
      setBusy(false);
    }
  };

  return (
    <form
      className={styles.form}
      onSubmit={(event: FormEvent) => {
        event.preventDefault();
        void submit();
      }}
    >
      <PasswordInput
        label="API key"
        description="The server printed the administrator’s key when it was first started. It is in the file admin.key of its data folder."
        autoFocus
        autoComplete="off"
        spellCheck={false}
        value={key}
        onChange={(event) => setKey(event.currentTarget.value)}
        error={error === '' ? null : error}
        visibilityToggleButtonProps={{ 'aria-label': 'Show the key', tabIndex: 0 }}
      />
      <Checkbox
        label="Keep me signed in on this computer"
        checked={keep}
        onChange={(event) => setKeep(event.currentTarget.checked)}
      />
      <Button type="submit" loading={busy} fullWidth>
        Sign in
      </Button>
    </form>
  );
}
