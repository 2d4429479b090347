//! Web: the two ways in. The one-time link makes the first account; after that there is the login.
import { Anchor, Button, PasswordInput, Stack, Text, TextInput, Title } from "@mantine/core";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useRouter, useSearch } from "@tanstack/react-router";
import { useEffect, useState, type FormEvent, type ReactNode, type JSX } from "react";

import { login, me, setup, unclaimed } from "../api/session";
import { Failed } from "../parts/States";
import { Note } from "../parts/Words";

function Entry({ title, about, children }: { title: string; about: ReactNode; children: ReactNode }) {
  useEffect(() => {
    document.title = `${title} · Bellwether`;
  }, [title]);
  return (
    <main className="entry">
      <div>
        <div className="brand" style={{ padding: 0, marginBottom: 24 }}>
          <img src="/favicon.svg" alt="" />
          <span>Bellwether</span>
        </div>
        <Title order={1}>{title}</Title>
        <Text c="dimmed" mt={4} mb={24}>
          {about}
        </Text>
        {children}
      </div>
    </main>
  );
}

/** Submits once at a time, goes to where the person wanted to be, or shows why not. */
function useEntry(enter: () => Promise<unknown>, next: string) {
  const client = useQueryClient();
  const router = useRouter();
  const [error, setError] = useState<unknown>(null);
  const [busy, setBusy] = useState(false);
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    setError(null);
    try {
      const session = await enter();
      client.clear();
      client.setQueryData<unknown>(me.queryKey, session);
      router.history.push(next.startsWith("/") && !next.startsWith("//") ? next : "/");
    } catch (e) {
      setError(e);
      setBusy(false);
    }
  };
  return { submit, error, busy };
}

export function LoginScreen(): JSX.Element {
  const { next } = useSearch({ from: "/login" });
  const [email, setEmail] = useState("");
  const [password, setPassword] = useState("");
  const fresh = useQuery(unclaimed).data === true;
  const { submit, error, busy } = useEntry(() => login(email, password), next ?? "/");
  return (
    <Entry title="Log in" about="With the email and password of your account.">
      {fresh && (
        <div style={{ marginBottom: 24 }}>
          <Note>
            <p className="strong">No account yet: open the setup link the server printed when it started.</p>
            <p className="hint">It works once and makes the first account. Each start prints a new one until then.</p>
          </Note>
        </div>
      )}
      <form onSubmit={(e) => void submit(e)}>
        <Stack gap="md">
          <TextInput
            label="Email"
            type="email"
            autoComplete="username"
            required
            autoFocus
            value={email}
            onChange={(e) => setEmail(e.currentTarget.value)}
          />
          <PasswordInput
            label="Password"
            autoComplete="current-password"
            required
            value={password}
            onChange={(e) => setPassword(e.currentTarget.value)}
          />
          {error ? <Failed error={error} /> : null}
          <Button type="submit" loading={busy}>
            Log in
          </Button>
        </Stack>
      </form>
    </Entry>
  );
}

export function SetupScreen(): JSX.Element {
  const { token } = useSearch({ from: "/setup" });
  const [name, setName] = useState("");
  const [email, setEmail] = useState("");
  const [password, setPassword] = useState("");
  const session = useQuery(me);
  const taken = useQuery(unclaimed).data === false;
  const { submit, error, busy } = useEntry(() => setup(token ?? "", name, email, password), "/");
  if (taken) {
    return (
      <Entry
        title="Set up"
        about="This installation has an account already: log in. Its setup link worked once and makes no other account."
      >
        <Anchor href="/login">Log in</Anchor>
      </Entry>
    );
  }
  if (!token) {
    return (
      <Entry
        title="Set up"
        about="This page is opened by the one-time link that the server prints when it starts. This link is cut off: its token is missing."
      >
        <Anchor href="/login">Log in instead</Anchor>
      </Entry>
    );
  }
  return (
    <Entry title="Set up" about="This link works once. It makes the first account, which may do everything.">
      <form onSubmit={(e) => void submit(e)}>
        <Stack gap="md">
          <TextInput
            label="Your name"
            description="Shown beside every change that you make."
            autoComplete="name"
            required
            autoFocus
            value={name}
            onChange={(e) => setName(e.currentTarget.value)}
          />
          <TextInput
            label="Email"
            type="email"
            autoComplete="username"
            required
            value={email}
            onChange={(e) => setEmail(e.currentTarget.value)}
          />
          <PasswordInput
            label="Password"
            description="At least ten characters."
            autoComplete="new-password"
            minLength={10}
            required
            value={password}
            onChange={(e) => setPassword(e.currentTarget.value)}
          />
          {error ? <Failed error={error} /> : null}
          <Button type="submit" loading={busy}>
            Create the account
          </Button>
          {session.data ? (
            <Text c="dimmed" size="sm">
              You are logged in as {session.data.person.name}.
            </Text>
          ) : null}
        </Stack>
      </form>
    </Entry>
  );
}
