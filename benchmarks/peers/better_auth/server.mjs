// A peer on Better Auth: Hono on Node's HTTP server, pg, two processes.
// `node server.mjs fill` fills its database.
import cluster from "node:cluster";
import { serve } from "@hono/node-server";
import bcrypt from "bcrypt";
import { betterAuth } from "better-auth";
import { getMigrations } from "better-auth/db/migration";
import { Hono } from "hono";
import pg from "pg";

const WORKERS = 2;
// Longer than a run, during which nobody takes a fresh cookie.
const CACHE_SECONDS = 6 * 3600;
const [LOW, HIGH] = [4, 12];
const cost = Number(process.env.PEER_COST);
const port = Number(process.env.PEER_PORT);
const pool = new pg.Pool({
  connectionString: process.env.PEER_DATABASE, max: 32,
});
const options = {
  database: pool,
  secret: "0123456789abcdef0123456789abcdef0123456789abcdef",
  baseURL: `http://127.0.0.1:${port}`,
  rateLimit: { enabled: false },
  telemetry: { enabled: false },
  logger: { level: "error" },
  session: process.env.PEER_COOKIE_CACHE === "1"
    ? { cookieCache: { enabled: true, maxAge: CACHE_SECONDS } } : {},
  emailAndPassword: {
    enabled: true,
    password: {
      hash: (password) => bcrypt.hash(password, cost),
      verify: ({ hash, password }) => bcrypt.compare(password, hash),
    },
  },
};

// Makes the tables and the users, with one hash for each group.
async function fill() {
  const { runMigrations } = await getMigrations(options);
  await runMigrations();
  const users = Number(process.env.PEER_USERS);
  const sessions = Number(process.env.PEER_SESSIONS);
  const password = process.env.PEER_PASSWORD;
  const low = await bcrypt.hash(password, LOW);
  const high = await bcrypt.hash(password, HIGH);
  await pool.query(
    `INSERT INTO "user" (id, name, email, "emailVerified", "createdAt",
       "updatedAt") SELECT md5('u' || g), 'user' || g,
       'user' || g || '@example.com', true, now(), now()
     FROM generate_series(1, $1::int) g`, [users]);
  await pool.query(
    `INSERT INTO account (id, "accountId", "providerId", "userId", password,
       "createdAt", "updatedAt") SELECT md5('a' || g), md5('u' || g),
       'credential', md5('u' || g),
       CASE WHEN g <= $2::int THEN $3 ELSE $4 END, now(), now()
     FROM generate_series(1, $1::int) g`, [users, sessions, low, high]);
  await pool.end();
}

function work() {
  const auth = betterAuth(options);
  const app = new Hono();
  app.on(["POST", "GET"], "/api/auth/*", (c) => auth.handler(c.req.raw));
  app.get("/profile", async (c) => {
    const found = await auth.api.getSession({ headers: c.req.raw.headers });
    return found ? c.json({ email: found.user.email })
      : c.json({ message: "unauthorized" }, 401);
  });
  serve({ fetch: app.fetch, port, hostname: "127.0.0.1" });
}

if (process.argv[2] === "fill") {
  await fill();
} else if (cluster.isPrimary) {
  for (let i = 0; i < WORKERS; i += 1) cluster.fork();
  process.on("SIGTERM", () => {
    for (const worker of Object.values(cluster.workers)) worker.process.kill();
    process.exit(0);
  });
} else {
  work();
}
