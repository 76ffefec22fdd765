# Image of consumer/: docker build --file deploy/consumer.Dockerfile --tag tidegate-consumer .
FROM node:22-alpine
ENV NODE_ENV=production
WORKDIR /consumer
COPY consumer/package.json consumer/package-lock.json ./
RUN npm ci --omit=dev --ignore-scripts
COPY consumer/*.js ./
USER node
STOPSIGNAL SIGTERM
CMD ["node", "consumer.js"]
