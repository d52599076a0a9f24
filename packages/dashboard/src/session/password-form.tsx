import { Button, PasswordInput, TextInput } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { useState, type FormEvent } from 'react';
import { toProblem } from '../api/problem.ts';
import { signInByPassword } from '../api/sign-in.ts';
import { useServices } from '../app/services.ts';
import styles from './sign-in.module.css';

export function PasswordForm() {
  const { client, session } = useServices();
  const [name, setName] = useState('');
  const [password, setPassword] = useState('');
  const signIn = useMutation({
    mutationFn: async () => await signInByPassword(client, name.trim(), password),
    onSuccess: () => session.signInByCookie(),
    onError: () => setPassword(''),
  });
  const problem = signIn.error === null ? undefined : toProblem(signIn.error);
  return (
    <form
      className={styles.form}
      onSubmit={(event: FormEvent) => {
        event.preventDefault();
        if (name.trim() !== '' && password !== '') signIn.mutate();
      }}
    >
      <TextInput
        label="User name"
        autoFocus
        autoComplete="username"
        autoCapitalize="none"
        spellCheck={false}
        value={name}
        onChange={(event) => setName(event.currentTarget.value)}
      />
      <PasswordInput
        label="Password"
        autoComplete="current-password"
        value={password}
        onChange={(event) => setPassword(event.currentTarget.value)}
        visibilityToggleButtonProps={{ 'aria-label': 'Show the password', tabIndex: 0 }}
      />
      {problem !== undefined && (
        <p className={styles.fault} role="alert">
          {problem.title}: {problem.detail}
        </p>
      )}
      <Button type="submit" loading={signIn.isPending} fullWidth>
        Sign in
      </Button>
    </form>
  );
}
